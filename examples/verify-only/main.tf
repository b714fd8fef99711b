# Compares two tables of two accounts, however the second one was made: by a global table, AWS Backup, export and import, or
# a copy that has ended. Nothing is copied, and nothing is written to either table.

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

module "verify" {
  source = "../../modules/verify"

  source_table = {
    name    = var.table_name
    profile = var.source_profile
  }

  destination_table = {
    name    = var.destination_table_name
    profile = var.destination_profile
  }

  verification = { segments = var.segments, concurrency = var.segments }

  providers = {
    aws.source      = aws.source
    aws.destination = aws.destination
  }
}
