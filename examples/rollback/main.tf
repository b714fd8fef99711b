# The way back: the same module the other way round, set up after the copy is sealed and before the writers move.
#
# At that moment both tables are equal and nobody writes. From then on every change at the new table is followed to the
# old one, deletions too, and going back is a cutover like the first. Set up later, the old table would keep what was
# deleted at the new one in between: a copy never deletes what its source lacks.
#
# The new table's stream follows the old one's, so it is on already. The first copy must be sealed (`tablecopy seal`): two
# copies in a circle would hand every change back and forth.

module "rollback" {
  source = "../.."

  source_table = {
    name    = var.new_table_name
    region  = var.new_region
    profile = var.new_profile
  }

  destination_table = {
    name    = var.old_table_name
    region  = var.old_region
    profile = var.old_profile

    create = false
    # The old table holds the items that were copied from it. The run therefore starts with `tablecopy start`, not with
    # the apply.
    allow_items = true
  }

  # Its own prefix: easy to tell from the first copy's resources, which are in the other account.
  name = "tableback"
}
