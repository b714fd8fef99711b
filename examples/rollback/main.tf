# Rollback: the same module in the other direction, applied after the copy is sealed and before you switch the writers.
#
# At that moment both tables are equal, and no one writes. From then on, the rollback copies each change of the new table,
# including deletions, to the old one, and going back is a cutover like the first. If you apply it later, the old table keeps
# items that were deleted from the new one in between, because a copy never deletes items that its source does not have.
#
# The new table's stream is already on, because it follows the old one's. The first copy must be sealed (`tablecopy seal`).
# Otherwise the two copies would send each change back and forth.

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
    # The old table holds the copied items, so `tablecopy start` starts the run, not the apply.
    allow_items = true
  }

  # Another prefix than the first copy's.
  name = "tableback"
}
