# Copies several tables to another account. modules/copy has no providers of its own, so you can call it with for_each.

provider "aws" {
  alias   = "source"
  region  = var.source_region
  profile = var.source_profile
}

provider "aws" {
  alias   = "destination"
  region  = var.destination_region
  profile = var.destination_profile
}

module "copy" {
  source   = "../../modules/copy"
  for_each = var.tables

  source_table = {
    name    = each.key
    profile = var.source_profile
  }

  destination_table = {
    name    = each.value.destination_name
    profile = var.destination_profile
  }

  destination_definition = { deletion_protection = each.value.deletion_protection }

  enabled  = each.value.enabled
  backfill = { segments = each.value.segments }

  providers = {
    aws.source      = aws.source
    aws.destination = aws.destination
  }
}
