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
    # A change of any of these replaces the table, with everything copied into it.
    ignore_changes = [hash_key, range_key, attribute, local_secondary_index]
  }
}

locals {
  look_up = var.enabled && !var.create ? 1 : 0
}

# Listed before it is looked up: a missing table would otherwise end in the provider's words.
data "aws_dynamodb_tables" "here" {
  count = local.look_up

  lifecycle {
    postcondition {
      condition     = contains(self.names, var.table_name)
      error_message = <<-EOT
        The destination table ${var.table_name} does not exist in region ${var.region} of the destination account, and destination_table.create is false.
        Set destination_table.create = true, or correct destination_table.name; the tables there lists, with the destination's credentials:
          aws dynamodb list-tables --region ${var.region}
      EOT
    }
  }
}

data "aws_dynamodb_table" "existing" {
  count = local.look_up

  name = var.table_name

  lifecycle {
    postcondition {
      condition = (
        self.hash_key == var.definition.hash_key
        && coalesce(self.range_key, "-") == coalesce(var.definition.range_key, "-")
        && alltrue([
          for attribute in self.attribute :
          attribute.type == lookup(var.definition.attributes, attribute.name, "")
          if contains([self.hash_key, self.range_key], attribute.name)
        ])
      )
      error_message = <<-EOT
        The destination table ${var.table_name} has the key ${jsonencode({ for attribute in self.attribute : attribute.name => attribute.type if contains([self.hash_key, self.range_key], attribute.name) })} (partition key ${self.hash_key}); the source table has ${jsonencode({ for name, type in var.definition.attributes : name => type if contains([var.definition.hash_key, var.definition.range_key], name) })} (partition key ${var.definition.hash_key}). Items cannot be copied between tables with different keys, and the key of a table cannot be changed.
        Give destination_table another name, or, if nobody needs this table and its data, delete it with the destination's credentials and set destination_table.create = true:
          aws dynamodb delete-table --region ${var.region} --table-name ${var.table_name}
      EOT
    }
  }

  depends_on = [data.aws_dynamodb_tables.here]
}

locals {
  table_arn = one(concat(aws_dynamodb_table.this[*].arn, data.aws_dynamodb_table.existing[*].arn))
}
