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

# Listed before it is looked up: the provider's own error for a missing table names neither the account nor a way out. Null
# where there is no table at all.
data "aws_dynamodb_tables" "source" {
  provider = aws.source
  count    = local.count

  lifecycle {
    postcondition {
      condition     = contains(coalesce(self.names, []), var.source_table.name)
      error_message = <<-EOT
        The source table "${var.source_table.name}" does not exist in account ${data.aws_caller_identity.source.account_id}, region ${data.aws_service.source.region}.
        Correct source_table.name, its region, profile or role. If the table was deleted after the cutover, set enabled = false and apply; then you can destroy. To list the tables there, with the source's credentials:
          aws dynamodb list-tables --region ${data.aws_service.source.region}
      EOT
    }
  }
}

data "aws_dynamodb_table" "source" {
  provider = aws.source
  count    = local.count

  # `terraform destroy` turns refusals into warnings and still reads this. Without the table any other one does: nothing is
  # made of it, and a destroy does not fail.
  name = contains(coalesce(data.aws_dynamodb_tables.source[0].names, []), var.source_table.name) ? var.source_table.name : try(data.aws_dynamodb_tables.source[0].names[0], var.source_table.name)

  lifecycle {
    postcondition {
      condition = self.name != var.source_table.name || self.stream_enabled && contains(["NEW_IMAGE", "NEW_AND_OLD_IMAGES"], self.stream_view_type)
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
    encryption = {
      # Null for the key AWS owns.
      kms_key_arn = one([for sse in local.reported.server_side_encryption : sse.kms_key_arn if sse.enabled])
    }
  }
}

# Which tables the copy was made for. Others would take a running copy apart, and with its name the destination table.
resource "terraform_data" "tables" {
  input = { source = var.source_table.name, source_key = local.source_key, destination = local.destination_name }

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.input.source == var.source_table.name && self.input.destination == local.destination_name
      error_message = <<-EOT
        This copy goes from table "${self.input.source}" to "${self.input.destination}"; source_table and destination_table now name "${var.source_table.name}" and "${local.destination_name}". Applying that would delete the copy and its journal, and replace a destination table that it created.
        Set the names back, and give another copy a module block of its own. To use this block for the new names anyway, with the address from `terraform state list | grep terraform_data.tables`:
          terraform apply -replace='ADDRESS'
      EOT
    }

    postcondition {
      condition     = local.source_key == null || self.input.source_key == null || self.input.source_key == local.source_key
      error_message = <<-EOT
        The source table "${var.source_table.name}" now has the key ${coalesce(local.source_key, "?")}; this copy was made for the key ${coalesce(self.input.source_key, "?")}. The table was created again, and its items do not fit the destination table.
        Copy the new table with a module block of its own and another destination table. To remove this copy and keep its destination table, set enabled = false:
          terraform apply
      EOT
    }
  }
}

resource "terraform_data" "record" {
  input = local.observed

  # Only what the caller wrote: known at every plan.
  triggers_replace = [var.source_table.name, local.destination_name]

  depends_on = [terraform_data.tables]

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
        Replace its journal and event source mapping. ADDRESS is what this prints: terraform state list | grep terraform_data.record
          terraform apply -replace='ADDRESS'
        Then empty the destination table or set destination_table.allow_items = true, and run the command in the output commands.start.
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

  places      = local.record == null ? null : [for side in ["source", "destination"] : "${local.record[side].account_id} ${local.record[side].region}"]
  led_to      = ["${data.aws_caller_identity.source.account_id} ${data.aws_service.source.region}", "${data.aws_caller_identity.destination.account_id} ${data.aws_service.destination.region}"]
  leads_there = local.places == null || local.places == local.led_to

  # The record's condition again, as an error that `terraform destroy` obeys, too: it turns refused conditions into
  # warnings, finds nothing in the other account, and would forget what it has made. No function fails on purpose, but a
  # sentence is no bool.
  led_astray = local.leads_there ? false : tobool(
    "The providers lead to other accounts or regions than the copy was made in. It goes from ${try(join(" to ", local.places), "?")}; the providers lead from ${join(" to ", local.led_to)}. Set profile, role and region back."
  )
}
