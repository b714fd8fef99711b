# Table of the destination account.

locals {
  provisioned = var.definition.billing_mode == "PROVISIONED"
  recovery    = var.definition.point_in_time_recovery
  encryption  = var.definition.encryption

  # DynamoDB rejects attributes that are not part of a key.
  key_attributes = toset(compact(concat(
    [var.definition.hash_key, var.definition.range_key],
    flatten([for index in values(var.definition.global_secondary_indexes) : [index.hash_key, index.range_key]]),
    values(var.definition.local_secondary_indexes)[*].range_key,
  )))
  untyped = setsubtract(local.key_attributes, keys(var.definition.attributes))

  # By index, the table's as "". DynamoDB reports -1 for a removed maximum and rejects -1 when it creates a table or an index.
  # No maximum is 0, which the provider leaves out.
  maximums = {
    for name, throughput in merge(
      { "" = var.definition.on_demand_throughput },
      { for name, index in var.definition.global_secondary_indexes : name => index.on_demand_throughput },
      ) : name => [
      for maximum in [{ for of in ["max_read_request_units", "max_write_request_units"] : of => max(0, try(coalesce(throughput[of]), 0)) }] :
      maximum if sum(values(maximum)) > 0
    ]
  }

  # Without units, whether the table or an index.
  unprovisioned = !local.provisioned ? [] : concat(
    var.definition.read_capacity < 1 || var.definition.write_capacity < 1 ? ["the table"] : [],
    [for name, index in var.definition.global_secondary_indexes : "index ${name}" if index.read_capacity < 1 || index.write_capacity < 1],
  )
}

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_119:The table is encrypted like the source table, or as destination_definition.encryption requires, also with a customer's key.

  count = var.create ? 1 : 0

  name                        = var.table_name
  billing_mode                = var.definition.billing_mode
  hash_key                    = var.definition.hash_key
  range_key                   = var.definition.range_key == "" ? null : var.definition.range_key
  read_capacity               = local.provisioned ? var.definition.read_capacity : null
  write_capacity              = local.provisioned ? var.definition.write_capacity : null
  table_class                 = var.definition.table_class
  deletion_protection_enabled = var.definition.deletion_protection
  stream_enabled              = var.definition.stream_view_type != "NONE"
  stream_view_type            = var.definition.stream_view_type == "NONE" ? null : var.definition.stream_view_type

  # No `ttl` block, because TTL would delete items that the source table still holds. You turn it on at the cutover.

  dynamic "attribute" {
    for_each = { for name, type in var.definition.attributes : name => type if contains(local.key_attributes, name) }

    content {
      name = attribute.key
      type = attribute.value
    }
  }

  dynamic "on_demand_throughput" {
    for_each = local.provisioned ? [] : local.maximums[""]

    content {
      max_read_request_units  = on_demand_throughput.value.max_read_request_units
      max_write_request_units = on_demand_throughput.value.max_write_request_units
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

      dynamic "on_demand_throughput" {
        for_each = local.provisioned ? [] : local.maximums[global_secondary_index.key]

        content {
          max_read_request_units  = on_demand_throughput.value.max_read_request_units
          max_write_request_units = on_demand_throughput.value.max_write_request_units
        }
      }
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

  dynamic "point_in_time_recovery" {
    for_each = local.recovery == null ? [] : [local.recovery]

    content {
      enabled                 = point_in_time_recovery.value.enabled
      recovery_period_in_days = point_in_time_recovery.value.enabled ? point_in_time_recovery.value.recovery_period_in_days : null
    }
  }

  # Not enabled for the key that AWS owns, because without a block the provider would keep the present key. Without an ARN for
  # the key that AWS manages in the account.
  server_side_encryption {
    enabled     = local.encryption.type != "AWS_OWNED"
    kms_key_arn = local.encryption.kms_key_arn
  }

  tags = merge(var.definition.tags, var.tags)

  lifecycle {
    # A changed key or local index would replace the table and delete the copied items.
    ignore_changes = [hash_key, range_key, local_secondary_index]

    precondition {
      condition     = terraform_data.created[0].input.key == local.source_key
      error_message = <<-EOT
        The destination table "${var.table_name}" was created with the key ${terraform_data.created[0].input.key}, but the source table now has the key ${local.source_key}. The key of a table cannot be changed.
        Copy the source table with another module block and another destination table. To find the recorded definition:
          terraform state list
      EOT
    }

    precondition {
      condition     = terraform_data.created[0].input.local_secondary_indexes == local.local_secondary_indexes
      error_message = <<-EOT
        The destination table "${var.table_name}" was created with the local secondary indexes ${terraform_data.created[0].input.local_secondary_indexes}, but they are now defined as ${local.local_secondary_indexes}. DynamoDB cannot change the local indexes of a table.
        Set destination_definition.local_secondary_indexes back. To create the table again, empty, with the addresses from `terraform state list`:
          terraform apply -replace='ADDRESS of destination.aws_dynamodb_table.this' -replace='ADDRESS of destination.terraform_data.created'
      EOT
    }

    # Without an ARN the provider keeps the present key.
    postcondition {
      condition     = local.encryption.type != "AWS_MANAGED" || try(self.server_side_encryption[0].kms_key_arn, null) == null || try(self.server_side_encryption[0].kms_key_arn, null) != terraform_data.created[0].input.kms_key_arn
      error_message = <<-EOT
        destination_definition.encryption.type is AWS_MANAGED, but the table "${var.table_name}" is encrypted with the customer-managed key ${coalesce(terraform_data.created[0].input.kms_key_arn, "?")}, which Terraform cannot remove. Without that key the copy could not write to the table.
        Change the table's key first, with the destination's credentials. Then apply:
          aws dynamodb update-table --region ${data.aws_service.current.region} --table-name ${var.table_name} --sse-specification Enabled=true,SSEType=KMS,KMSMasterKeyId=alias/aws/dynamodb
      EOT
    }

    precondition {
      condition     = length(local.unprovisioned) == 0
      error_message = "The destination table \"${var.table_name}\" has provisioned capacity, but the source table has no units for ${join(", ", local.unprovisioned)}. Set destination_definition = { read_capacity = 5, write_capacity = 5 } with your numbers, or the units of the index."
    }

    precondition {
      condition     = length(local.untyped) == 0
      error_message = "Indexes of the destination table \"${var.table_name}\" have key attributes whose types the source table does not define: ${join(", ", local.untyped)}. Set the types (S, N or B): destination_definition.attributes = { ${join(", ", [for name in local.untyped : "\"${name}\" = \"S\""])} }."
    }

    precondition {
      condition     = local.encryption.type != "CUSTOMER_MANAGED" || local.encryption.kms_key_arn != null
      error_message = <<-EOT
        The source table is encrypted with a customer-managed key that only its account can use. The destination table "${var.table_name}" needs a key of its own.
        Set destination_definition.encryption = { type = "CUSTOMER_MANAGED", kms_key_arn = "arn:aws:kms:..." } with a key of the destination's account and region, or type = "AWS_MANAGED" or "AWS_OWNED".
      EOT
    }

    precondition {
      condition     = local.encryption.kms_key_arn == null ? true : split(":", local.encryption.kms_key_arn)[3] == data.aws_service.current.region
      error_message = <<-EOT
        destination_definition.encryption.kms_key_arn is ${coalesce(local.encryption.kms_key_arn, "?")}, but the destination table "${var.table_name}" is in ${data.aws_service.current.region}. DynamoDB encrypts a table only with a key of the same region.
        Set a key of that region. To list them, with the destination's credentials:
          aws kms list-keys --region ${data.aws_service.current.region}
      EOT
    }
  }

  depends_on = [var.copy, aws_iam_role_policy.this, terraform_data.absent]
}

# Settings that the table was created with and that cannot be changed. The table's preconditions compare them.
resource "terraform_data" "created" {
  count = var.create ? 1 : 0

  input = {
    key                     = local.source_key
    local_secondary_indexes = local.local_secondary_indexes
    # Null for a key of AWS's own.
    kms_key_arn = local.encryption.kms_key_arn
  }
  triggers_replace = [var.table_name]

  lifecycle {
    ignore_changes = [input]
  }
}

# Whether the name was free at the first plan. Otherwise the apply would fail after everything else was created.
resource "terraform_data" "absent" {
  count = var.create ? 1 : 0

  input            = !anytrue([for here in data.aws_dynamodb_tables.here : contains(coalesce(here.names, []), var.table_name)])
  triggers_replace = [var.table_name]

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.input
      error_message = <<-EOT
        The destination table "${var.table_name}" already exists in account ${var.location.account_id}, region ${var.location.region}, and destination_table.create is true.
        Set destination_table.create = false to copy into the existing table, or set another destination_table.name. To show the table, with the destination's credentials:
          aws dynamodb describe-table --region ${var.location.region} --table-name ${var.table_name}
      EOT
    }
  }
}

# Terraform defers a data source to the apply even if only a condition in it refers to a resource that does not exist yet, so
# these blocks must not refer to modules/copy's record.
data "aws_service" "current" {
  service_id = "dynamodb"
}

# The list comes before the lookup, because the provider's errors name no solution. Null if there are no tables.
data "aws_dynamodb_tables" "here" {
  count = var.enabled ? 1 : 0

  lifecycle {
    postcondition {
      condition     = var.create || contains(coalesce(self.names, []), var.table_name)
      error_message = <<-EOT
        The destination table "${var.table_name}" does not exist in region ${data.aws_service.current.region} of the destination account, and destination_table.create is false.
        Set destination_table.create = true, or correct destination_table.name. To list the tables, with the destination's credentials:
          aws dynamodb list-tables --region ${data.aws_service.current.region}
      EOT
    }
  }
}

data "aws_dynamodb_table" "existing" {
  count = var.enabled && !var.create ? 1 : 0

  # A destroy without the table reads another one. See the source table in modules/copy/record.tf.
  name = contains(coalesce(data.aws_dynamodb_tables.here[0].names, []), var.table_name) ? var.table_name : try(data.aws_dynamodb_tables.here[0].names[0], var.table_name)
}

locals {
  existing = one([for table in data.aws_dynamodb_table.existing : table if table.name == var.table_name])

  # Built, not referenced, because a created table comes after the role's policy.
  table_arn = "arn:${var.location.partition}:dynamodb:${var.location.region}:${var.location.account_id}:table/${var.table_name}"

  # In a fixed order for comparison.
  local_secondary_indexes = jsonencode({
    for name, index in var.definition.local_secondary_indexes :
    name => merge(index, { non_key_attributes = sort(index.non_key_attributes) })
  })

  # With the key of an existing table that AWS may manage, because the table does not report who manages its key.
  kms_key_arns = concat(
    # The table's precondition rejects a missing key.
    [for key in compact([local.encryption.kms_key_arn]) : key if var.create && local.encryption.type == "CUSTOMER_MANAGED"],
    [for sse in try(local.existing.server_side_encryption, []) : sse.kms_key_arn if sse.enabled],
  )

  # Partition key first: "customer (S), number (N)".
  source_key = join(", ", [
    for name in compact([var.definition.hash_key, var.definition.range_key]) : "${name} (${var.definition.attributes[name]})"
  ])
  existing_key = local.existing == null ? null : join(", ", [
    for name in compact([local.existing.hash_key, local.existing.range_key]) :
    "${name} (${one([for attribute in local.existing.attribute : attribute.type if attribute.name == name])})"
  ])
}
