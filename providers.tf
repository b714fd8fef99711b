# One provider for each side. All functions are in the source account. The destination account gets the table and one role.

provider "aws" {
  alias   = "source"
  region  = var.source_table.region
  profile = var.source_table.profile

  dynamic "assume_role" {
    for_each = var.source_table.role_arn == null ? [] : [var.source_table]

    content {
      role_arn     = assume_role.value.role_arn
      external_id  = assume_role.value.external_id
      session_name = "dynamodb-account-copy"
    }
  }
}

provider "aws" {
  alias   = "destination"
  region  = coalesce(var.destination_table.region, var.source_table.region)
  profile = var.destination_table.profile

  dynamic "assume_role" {
    for_each = var.destination_table.role_arn == null ? [] : [var.destination_table]

    content {
      role_arn     = assume_role.value.role_arn
      external_id  = assume_role.value.external_id
      session_name = "dynamodb-account-copy"
    }
  }
}
