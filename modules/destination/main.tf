# The destination account: the table and one role.

locals {
  provisioned = var.definition.billing_mode == "PROVISIONED"
}

resource "aws_dynamodb_table" "this" {
  count = var.create ? 1 : 0

  name                        = var.table_name
  billing_mode                = var.definition.billing_mode
  hash_key                    = var.definition.hash_key
  range_key                   = var.definition.range_key == "" ? null : var.definition.range_key
  read_capacity               = local.provisioned ? var.definition.read_capacity : null
  write_capacity              = local.provisioned ? var.definition.write_capacity : null
  deletion_protection_enabled = var.deletion_protection

  # No `ttl` block: a table that expires items by itself deletes what the source still holds. Turned on at cutover.

  dynamic "attribute" {
    for_each = var.definition.attributes

    content {
      name = attribute.key
      type = attribute.value
    }
  }

  dynamic "global_secondary_index" {
    for_each = var.definition.global_secondary_indexes

    content {
      name               = global_secondary_index.key
      hash_key           = global_secondary_index.value.hash_key
      range_key          = global_secondary_index.value.range_key == "" ? null : global_secondary_index.value.range_key
      projection_type    = global_secondary_index.value.projection_type
      non_key_attributes = length(global_secondary_index.value.non_key_attributes) == 0 ? null : global_secondary_index.value.non_key_attributes
      read_capacity      = local.provisioned ? global_secondary_index.value.read_capacity : null
      write_capacity     = local.provisioned ? global_secondary_index.value.write_capacity : null
    }
  }

  dynamic "local_secondary_index" {
    for_each = var.definition.local_secondary_indexes

    content {
      name               = local_secondary_index.key
      range_key          = local_secondary_index.value.range_key
      projection_type    = local_secondary_index.value.projection_type
      non_key_attributes = length(local_secondary_index.value.non_key_attributes) == 0 ? null : local_secondary_index.value.non_key_attributes
    }
  }

  tags = var.tags

  lifecycle {
    # A key or a local index cannot be changed: a change of one, and of the attributes they are made of, would replace
    # the table, with everything copied into it.
    ignore_changes = [hash_key, range_key, attribute, local_secondary_index]
  }
}

locals {
  look_up = var.enabled && !var.create ? 1 : 0
}

# Terraform puts a data source off to the apply, also if only a check of it refers to a resource that is yet to be made:
# nothing in this block and the next may refer to what comes from modules/copy's record.
data "aws_region" "current" {}

# Listed before it is looked up: a missing table would otherwise end in the provider's words.
data "aws_dynamodb_tables" "here" {
  count = local.look_up

  lifecycle {
    postcondition {
      condition     = contains(self.names, var.table_name)
      error_message = <<-EOT
        The destination table ${var.table_name} does not exist in region ${data.aws_region.current.id} of the destination account, and destination_table.create is false.
        Set destination_table.create = true, or correct destination_table.name; the tables there lists, with the destination's credentials:
          aws dynamodb list-tables --region ${data.aws_region.current.id}
      EOT
    }
  }
}

data "aws_dynamodb_table" "existing" {
  count = local.look_up

  name = var.table_name

  depends_on = [data.aws_dynamodb_tables.here]
}

locals {
  table_arn = one(concat(aws_dynamodb_table.this[*].arn, data.aws_dynamodb_table.existing[*].arn))
  existing  = one(data.aws_dynamodb_table.existing)

  # Partition key first: "customer (S), number (N)".
  source_key = join(", ", [
    for name in compact([var.definition.hash_key, var.definition.range_key]) : "${name} (${var.definition.attributes[name]})"
  ])
  existing_key = local.existing == null ? null : join(", ", [
    for name in compact([local.existing.hash_key, local.existing.range_key]) :
    "${name} (${one([for attribute in local.existing.attribute : attribute.type if attribute.name == name])})"
  ])
}
