# Both tables, and the names that follow from them.

data "aws_partition" "source" {
  provider = aws.source
}

data "aws_caller_identity" "source" {
  provider = aws.source
}

# The provider's region. The attribute of aws_region has a different name in each major version of the provider.
data "aws_service" "source" {
  provider = aws.source

  service_id = "dynamodb"
}

data "aws_partition" "destination" {
  provider = aws.destination
}

data "aws_caller_identity" "destination" {
  provider = aws.destination
}

data "aws_service" "destination" {
  provider = aws.destination

  service_id = "dynamodb"
}

data "aws_dynamodb_table" "source" {
  provider = aws.source

  name = var.source_table.name
}

data "aws_dynamodb_table" "destination" {
  provider = aws.destination

  name = local.destination_name

  lifecycle {
    postcondition {
      condition     = self.arn != data.aws_dynamodb_table.source.arn
      error_message = <<-EOT
        Source and destination are the same table: "${self.arn}".
        Set another destination_table.name, or another profile, role or region in the provider aws.destination. To show the account of a profile:
          aws sts get-caller-identity --profile PROFILE
      EOT
    }

    postcondition {
      condition     = self.hash_key == data.aws_dynamodb_table.source.hash_key && self.range_key == data.aws_dynamodb_table.source.range_key
      error_message = <<-EOT
        The tables have other keys: "${self.name}" has ${jsonencode([self.hash_key, self.range_key])}, and "${var.source_table.name}" has ${jsonencode([data.aws_dynamodb_table.source.hash_key, data.aws_dynamodb_table.source.range_key])}. Only tables with the same key can be compared.
        Set another destination_table.name. To list the tables, with the destination's credentials:
          aws dynamodb list-tables --region ${data.aws_service.destination.region}
      EOT
    }
  }
}

# External id that the reading role requires, in addition to the function's identity. It is not a secret.
resource "terraform_data" "external_id" {}

locals {
  destination_name = coalesce(var.destination_table.name, var.source_table.name)

  source = {
    partition  = data.aws_partition.source.partition
    account_id = data.aws_caller_identity.source.account_id
    region     = data.aws_service.source.region
  }
  destination = {
    partition  = data.aws_partition.destination.partition
    account_id = data.aws_caller_identity.destination.account_id
    region     = data.aws_service.destination.region
  }

  # Built, not referenced, so that a plan shows whole policies.
  source_arn      = "arn:${local.source.partition}:dynamodb:${local.source.region}:${local.source.account_id}:table/${var.source_table.name}"
  destination_arn = "arn:${local.destination.partition}:dynamodb:${local.destination.region}:${local.destination.account_id}:table/${local.destination_name}"

  # Null for a key that AWS owns.
  source_key_arn      = one([for sse in data.aws_dynamodb_table.source.server_side_encryption : sse.kms_key_arn if sse.enabled])
  destination_key_arn = one([for sse in data.aws_dynamodb_table.destination.server_side_encryption : sse.kms_key_arn if sse.enabled])

  # The journal holds keys of the tables' items, so it is encrypted as they are.
  journal_key_arn = try(coalesce(local.source_key_arn, var.kms_key_arn), null)

  # Roles and functions allow 64 characters. The longest suffix, "-verification", takes 13 and the hash 9. A table's name may
  # contain '.', a function's may not.
  hash = substr(sha256("${local.source_arn}|${local.destination_arn}"), 0, 8)
  base = "${substr(replace("${var.name}-${var.source_table.name}", ".", "-"), 0, 64 - 13 - 9)}-${local.hash}"
  names = {
    journal      = "${local.base}-journal"
    control      = "${local.base}-control"
    verifier     = "${local.base}-verifier"
    verification = "${local.base}-verification"
    reader_role  = "${local.base}-reader"
  }
}
