# Record of the tables that the copy was made for, as they were at the first apply.
#
# The other files read this record, not the data sources. Terraform defers a data source to the apply if the caller's
# `depends_on` has a pending change. Values made from it would then be unknown at plan, and unknown names or keys replace
# resources. The record ignores later changes of its input, so it stays known, and the source table may be gone when the copy
# is disabled.

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

# The list comes before the lookup, because the provider's error for a missing table names neither the account nor a
# solution. Null if there are no tables.
data "aws_dynamodb_tables" "source" {
  provider = aws.source
  count    = local.count

  lifecycle {
    postcondition {
      condition     = contains(coalesce(self.names, []), var.source_table.name)
      error_message = <<-EOT
        The source table "${var.source_table.name}" does not exist in account ${data.aws_caller_identity.source.account_id}, region ${data.aws_service.source.region}.
        Correct source_table.name, or the region, profile or role. If the table was deleted after the cutover, set enabled = false and apply. Then you can destroy. To list the tables, with the source's credentials:
          aws dynamodb list-tables --region ${data.aws_service.source.region}
      EOT
    }
  }
}

data "aws_dynamodb_table" "source" {
  provider = aws.source
  count    = local.count

  # `terraform destroy` turns failed conditions into warnings and still reads this. If the table is missing, any other one
  # keeps the destroy from failing. Nothing uses its values.
  name = contains(coalesce(data.aws_dynamodb_tables.source[0].names, []), var.source_table.name) ? var.source_table.name : try(data.aws_dynamodb_tables.source[0].names[0], var.source_table.name)

  lifecycle {
    postcondition {
      condition = self.name != var.source_table.name || self.stream_enabled && contains(["NEW_IMAGE", "NEW_AND_OLD_IMAGES"], self.stream_view_type)
      error_message = join("\n", concat(
        ["The stream of the source table \"${var.source_table.name}\" ${self.stream_enabled ? "has the view type ${self.stream_view_type}" : "is off"}. The copy needs new images."],
        self.stream_enabled ? [
          "Turn it off first. Its present readers lose their position:",
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

  # Null while the copy is disabled, because the table is not read then.
  reported = one([for table in data.aws_dynamodb_table.source : table if table.name == var.source_table.name])

  # Partition key first: "customer (S), number (N)".
  source_key = local.reported == null ? null : join(", ", [
    for name in compact([local.reported.hash_key, local.reported.range_key]) :
    "${name} (${one([for attribute in local.reported.attribute : attribute.type if attribute.name == name])})"
  ])

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
    # Null for a key that AWS owns.
    encryption = { kms_key_arn = one([for sse in local.reported.server_side_encryption : sse.kms_key_arn if sse.enabled]) }
  }
}

# Tables that the copy was made for. Other names would delete a running copy, and replace the destination table.
resource "terraform_data" "tables" {
  input = { source = var.source_table.name, source_key = local.source_key, destination = local.destination_name }

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.input.source == var.source_table.name && self.input.destination == local.destination_name
      error_message = <<-EOT
        This copy goes from table "${self.input.source}" to "${self.input.destination}", but source_table and destination_table now name "${var.source_table.name}" and "${local.destination_name}". An apply would delete the copy and its journal, and replace the destination table if the copy created it.
        Set the names back, and use another module block for another copy. To use this block for the new names anyway, with the address from `terraform state list | grep terraform_data.tables`:
          terraform apply -replace='ADDRESS'
      EOT
    }

    postcondition {
      condition     = local.source_key == null || self.input.source_key == null || self.input.source_key == local.source_key
      error_message = <<-EOT
        The source table "${var.source_table.name}" now has the key ${coalesce(local.source_key, "?")}, but this copy was made for the key ${coalesce(self.input.source_key, "?")}. The table was created again, and its items do not fit the destination table.
        Copy the new table with another module block and another destination table. To remove this copy and keep its destination table, set enabled = false:
          terraform apply
      EOT
    }
  }
}

resource "terraform_data" "record" {
  input = local.observed

  # Names that the caller wrote, which are known at every plan.
  triggers_replace = [var.source_table.name, local.destination_name]

  depends_on = [terraform_data.tables]

  lifecycle {
    ignore_changes = [input]

    precondition {
      condition     = local.destination_name != var.source_table.name || local.provided.source != local.provided.destination
      error_message = <<-EOT
        Source and destination are the same table: "${var.source_table.name}" in ${local.provided.source}. A table cannot be copied onto itself.
        Set another profile, role, region or name in destination_table. To show the account of a profile:
          aws sts get-caller-identity --profile PROFILE
      EOT
    }

    postcondition {
      condition     = self.input != null
      error_message = <<-EOT
        enabled is false, but there is no copy of "${var.source_table.name}" to "${local.destination_name}" yet. You can disable only an applied copy.
        Apply with enabled = true first, or remove the module block. If the copy exists in another state, list that state with:
          terraform state list
      EOT
    }

    postcondition {
      condition     = self.input == null || { for side in ["source", "destination"] : side => try("account ${self.input[side].account_id}, region ${self.input[side].region}", null) } == local.provided
      error_message = <<-EOT
        The providers lead to other accounts or regions than the copy was made in. It goes from ${try("account ${self.input.source.account_id}, region ${self.input.source.region}, to account ${self.input.destination.account_id}, region ${self.input.destination.region}", "?")}. The providers lead from ${local.provided.source}, to ${local.provided.destination}.
        Set profile, role and region back, and use another module block for another copy. To show the account of a profile:
          aws sts get-caller-identity --profile PROFILE
      EOT
    }

    postcondition {
      condition     = try(self.input.source.stream_arn, null) == try(local.reported.stream_arn, self.input.source.stream_arn, null)
      error_message = <<-EOT
        The stream of the source table "${var.source_table.name}" is now ${try(local.reported.stream_arn, "?")}, but the copy follows ${try(self.input.source.stream_arn, "?")}. The stream was turned off and on again, and the changes in between are lost. The copy cannot continue.
        Replace its journal and event source mapping, with the address from `terraform state list | grep terraform_data.record`:
          terraform apply -replace='ADDRESS'
        Then empty the destination table or set destination_table.allow_items = true, and run the command in the output commands.start.
        After the cutover, set enabled = false instead.
      EOT
    }
  }
}

# External id that the destination role requires, in addition to the functions' identity. It is not a secret. It stays as long
# as the copy exists, whatever happens to the record.
resource "terraform_data" "external_id" {}

locals {
  record = terraform_data.record.input

  provided = {
    source      = "account ${data.aws_caller_identity.source.account_id}, region ${data.aws_service.source.region}"
    destination = "account ${data.aws_caller_identity.destination.account_id}, region ${data.aws_service.destination.region}"
  }
  recorded_at = local.record == null ? null : { for side in ["source", "destination"] : side => "account ${local.record[side].account_id}, region ${local.record[side].region}" }

  # The condition of the record again, as an error that also stops `terraform destroy`. A destroy turns failed conditions into
  # warnings, finds nothing in the other account, and would forget its resources. Terraform has no function that fails on
  # purpose, but a sentence is not a bool.
  misled = local.recorded_at == null || local.recorded_at == local.provided ? false : tobool(
    "The providers lead to other accounts or regions than the copy was made in. It goes from ${try("${local.recorded_at.source}, to ${local.recorded_at.destination}", "?")}. The providers lead from ${local.provided.source}, to ${local.provided.destination}. Set profile, role and region back."
  )
}
