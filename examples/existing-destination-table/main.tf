# Copies into an existing table, which the new account's own configuration defines with its indexes, encryption and alarms.
# Its key must be the source table's. Other settings may differ, and `verify` shows the differences.

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

    # Required if the table holds items. The copy overwrites items with the same key and never deletes the others.
    allow_items = var.allow_items
  }
}
