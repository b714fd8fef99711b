# Copies into a table that is there already: the new account's own configuration defines it, with its indexes, key and
# alarms, and this copy only fills it. Its key must be the source's; the rest may differ, and `verify` tells how.

module "copy" {
  source = "../.."

  source_table = {
    name    = var.table_name
    region  = var.source_region
    profile = var.source_profile
  }

  destination_table = {
    name    = var.destination_table_name
    region  = var.destination_region
    profile = var.destination_profile

    create = false

    # A table that holds items is refused unless this is true: the copy overwrites items with the same key, and never
    # deletes one that the source lacks.
    allow_items = var.allow_items
  }
}
