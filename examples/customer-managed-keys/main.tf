# Both tables under customer-managed keys. A key is of one account and region, so the destination gets one of its own.
# Providers of its own, because the key is made here: in yours, give the ARN of one that is there.

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

# Without a policy of its own the key leaves it to the account's IAM policies who may use it, and the module grants it to
# the one role that needs it. A key whose policy names its users must name the roles of the outputs below.
resource "aws_kms_key" "destination" {
  #checkov:skip=CKV2_AWS_64:The policy that AWS gives it leaves the decision to the account's IAM policies, as said above.

  provider = aws.destination

  description         = "Table ${var.table_name}"
  enable_key_rotation = true
}

module "copy" {
  source = "../../modules/copy"

  source_table = {
    name    = var.table_name
    profile = var.source_profile

    # The journal, which holds keys of items, is then under the source's key, too.
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
