# What the copy was made from, as it was at the first apply.
#
# Everything downstream reads this record, not the data sources. Terraform puts off a data source to the apply when a
# module this one depends on has a pending change; everything made from it would then be "known after apply", and
# names or keys that are planned so would replace resources. The record ignores what its input becomes later, so it
# stays known, and the source table may be gone by the time the copy is disabled.

data "aws_partition" "source" {
  provider = aws.source
}

data "aws_caller_identity" "source" {
  provider = aws.source
}

# The provider's region: aws_region calls it `id` in 5.x, which 6.x deprecates, and `region` in 6.x, which 5.x does not have.
data "aws_service" "source" {
  provider   = aws.source
  service_id = "dynamodb"
}

data "aws_partition" "destination" {
  provider = aws.destination
}

data "aws_caller_identity" "destination" {
  provider = aws.destination
}

data "aws_service" "destination" {
  provider   = aws.destination
  service_id = "dynamodb"
}

data "aws_dynamodb_table" "source" {
  provider = aws.source
  count    = var.enabled ? 1 : 0

  name = var.source_table.name

  lifecycle {
    postcondition {
      condition = self.stream_enabled && contains(["NEW_IMAGE", "NEW_AND_OLD_IMAGES"], self.stream_view_type)
      error_message = join("\n", concat(
        ["The stream of the source table ${var.source_table.name} is ${self.stream_enabled ? "of the view type ${self.stream_view_type}" : "off"}; the copy needs its new images."],
        self.stream_enabled ? [
          "Turn it off first (whatever reads it now loses its place):",
          "  aws dynamodb update-table --region ${data.aws_service.source.region} --table-name ${var.source_table.name} --stream-specification StreamEnabled=false",
        ] : [],
        [
          "Turn it on:",
          "  aws dynamodb update-table --region ${data.aws_service.source.region} --table-name ${var.source_table.name} --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES",
        ],
      ))
    }
  }
}

locals {
  destination_name = coalesce(var.destination_table.name, var.source_table.name)

  # Null while disabled: the table is not read then.
  reported = one(data.aws_dynamodb_table.source)

  observed = local.reported == null ? null : {
    source = {
      partition  = data.aws_partition.source.partition
      account_id = data.aws_caller_identity.source.account_id
      region     = data.aws_service.source.region
      table_name = var.source_table.name
      table_arn  = local.reported.arn
      stream_arn = local.reported.stream_arn
    }
    destination = {
      partition  = data.aws_partition.destination.partition
      account_id = data.aws_caller_identity.destination.account_id
      region     = data.aws_service.destination.region
      table_name = local.destination_name
    }
    encryption = {
      # Null for the key AWS owns.
      kms_key_arn = one([for sse in local.reported.server_side_encryption : sse.kms_key_arn if sse.enabled])
    }
  }
}

resource "terraform_data" "record" {
  input = local.observed

  # Only what the caller wrote: known at every plan.
  triggers_replace = [var.source_table.name, local.destination_name]

  lifecycle {
    ignore_changes = [input]

    precondition {
      condition = (
        local.destination_name != var.source_table.name
        || data.aws_caller_identity.destination.account_id != data.aws_caller_identity.source.account_id
        || data.aws_service.destination.region != data.aws_service.source.region
      )
      error_message = <<-EOT
        Source and destination are the same table: ${var.source_table.name} in account ${data.aws_caller_identity.source.account_id}, region ${data.aws_service.source.region}. A table cannot be copied onto itself.
        Give destination_table another profile, role, region or name. Which account a profile leads to says:
          aws sts get-caller-identity --profile PROFILE
      EOT
    }

    postcondition {
      condition     = self.input != null
      error_message = <<-EOT
        enabled is false, but there is no copy of ${var.source_table.name} to ${local.destination_name} yet: only an applied one can be disabled.
        Apply it with enabled = true first, or leave the module's block out. If it exists in another state, show that one with:
          terraform state list
      EOT
    }

    postcondition {
      condition = self.input == null || (
        try(self.input.source.account_id, null) == data.aws_caller_identity.source.account_id
        && try(self.input.source.region, null) == data.aws_service.source.region
        && try(self.input.destination.account_id, null) == data.aws_caller_identity.destination.account_id
        && try(self.input.destination.region, null) == data.aws_service.destination.region
      )
      error_message = <<-EOT
        The providers lead to other places than the copy was made in. It goes from ${try("${self.input.source.account_id} ${self.input.source.region} to ${self.input.destination.account_id} ${self.input.destination.region}", "?")}; the providers lead from ${data.aws_caller_identity.source.account_id} ${data.aws_service.source.region} to ${data.aws_caller_identity.destination.account_id} ${data.aws_service.destination.region}.
        Set profile, role and region back, and copy to another place with a module block of its own. Which account a profile leads to says:
          aws sts get-caller-identity --profile PROFILE
      EOT
    }

    postcondition {
      condition     = try(self.input.source.stream_arn, null) == try(local.reported.stream_arn, self.input.source.stream_arn, null)
      error_message = <<-EOT
        The stream of the source table ${var.source_table.name} is ${try(local.reported.stream_arn, "?")} now; the copy follows ${try(self.input.source.stream_arn, "?")}. The stream was turned off and on again, and the changes in between are lost: the copy cannot go on.
        Start a new one, with a new journal and mapping (its preflight wants the destination emptied, or destination_table.allow_items):
          terraform apply -replace='ADDRESS' where ADDRESS is what this prints: terraform state list | grep terraform_data.record
        After the cutover, take the copy apart with enabled = false instead.
      EOT
    }
  }
}

# What the destination role asks of whoever assumes it, next to the functions' identity. No secret; kept for the life
# of the copy, whatever happens to the record.
resource "terraform_data" "external_id" {}

locals {
  record = terraform_data.record.input
}
