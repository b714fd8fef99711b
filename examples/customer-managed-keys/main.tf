# Copies a table that a customer-managed key encrypts. A key belongs to one account and region, so the destination table gets
# a key of its own. This example creates that key and therefore has providers. With an existing key, set its ARN instead.

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

# Without a key policy, the account's IAM policies decide on its use, and the module allows it to the role that needs it. A
# key policy that names its users must name the roles in the outputs below.
resource "aws_kms_key" "destination" {
  #checkov:skip=CKV2_AWS_64:The default key policy leaves the decision to the account's IAM policies, as described above.

  provider = aws.destination

  description         = "Table ${var.table_name}"
  enable_key_rotation = true
}

module "copy" {
  source = "../../modules/copy"

  source_table = {
    name    = var.table_name
    profile = var.source_profile

    # The source table's key then also encrypts the journal, which holds keys of items.
    customer_managed_key = true
  }

  destination_table = { profile = var.destination_profile }

  destination_definition = {
    encryption = {
      type        = "CUSTOMER_MANAGED"
      kms_key_arn = aws_kms_key.destination.arn
    }
    deletion_protection = var.deletion_protection
  }

  providers = {
    aws.source      = aws.source
    aws.destination = aws.destination
  }
}
