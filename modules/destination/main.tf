# The destination account: the table and one role.

locals {
  provisioned = var.definition.billing_mode == "PROVISIONED"
  recovery    = var.definition.point_in_time_recovery
  encryption  = var.definition.encryption

  # DynamoDB refuses an attribute that no key is made of.
  key_attributes = toset(compact(concat(
    [var.definition.hash_key, var.definition.range_key],
    flatten([for index in values(var.definition.global_secondary_indexes) : [index.hash_key, index.range_key]]),
    values(var.definition.local_secondary_indexes)[*].range_key,
  )))
  untyped = setsubtract(local.key_attributes, keys(var.definition.attributes))

  # By index, the table's under "". DynamoDB reports -1 where a maximum was taken away, and refuses it where a table or an
  # index is created: no maximum is 0, which the provider leaves out.
  maximums = {
    for name, throughput in merge(
      { "" = var.definition.on_demand_throughput },
      { for name, index in var.definition.global_secondary_indexes : name => index.on_demand_throughput },
      ) : name => [
      for maximum in [{ for of in ["max_read_request_units", "max_write_request_units"] : of => max(0, try(coalesce(throughput[of]), 0)) }] :
      maximum if sum(values(maximum)) > 0
    ]
  }

  # Without units: an index as much as the table itself.
  unprovisioned = !local.provisioned ? [] : concat(
    var.definition.read_capacity < 1 || var.definition.write_capacity < 1 ? ["the table"] : [],
    [for name, index in var.definition.global_secondary_indexes : "index ${name}" if index.read_capacity < 1 || index.write_capacity < 1],
  )
}

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_119:The table is encrypted as the source is, or as destination_definition.encryption says, a customer's key included.

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

  # No `ttl` block: a table that expires items by itself deletes what the source still holds. Turned on at cutover.

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

  # Not enabled: the key that AWS owns; without a block the provider would keep the key that is there. Without an ARN: the
  # one AWS manages in the account.
  server_side_encryption {
    enabled     = local.encryption.type != "AWS_OWNED"
    kms_key_arn = local.encryption.kms_key_arn
  }

  tags = merge(var.definition.tags, var.tags)

  lifecycle {
    # A key or a local index cannot be changed: a change of one would replace the table, with everything copied into it.
    ignore_changes = [hash_key, range_key, local_secondary_index]

    precondition {
      condition     = terraform_data.created[0].input.key == local.source_key
      error_message = <<-EOT
        The destination table "${var.table_name}" was created with the key ${terraform_data.created[0].input.key}; the source table now has ${local.source_key}. The key of a table cannot be changed.
        Copy the source table with a module block of its own and another destination table. To see where the recorded definition comes from:
          terraform state list
      EOT
    }

    precondition {
      condition     = terraform_data.created[0].input.local_secondary_indexes == local.local_secondary_indexes
      error_message = <<-EOT
        The destination table "${var.table_name}" was created with the local secondary indexes ${terraform_data.created[0].input.local_secondary_indexes}; they are now defined as ${local.local_secondary_indexes}. DynamoDB cannot change the local indexes of a table.
        Set destination_definition.local_secondary_indexes back to the first ones. To create the table again, empty, with the addresses from `terraform state list`:
          terraform apply -replace='ADDRESS of destination.aws_dynamodb_table.this' -replace='ADDRESS of destination.terraform_data.created'
      EOT
    }

    # The provider keeps the key that is there where none is given.
    postcondition {
      condition     = local.encryption.type != "AWS_MANAGED" || try(self.server_side_encryption[0].kms_key_arn, null) == null || try(self.server_side_encryption[0].kms_key_arn, null) != terraform_data.created[0].input.kms_key_arn
      error_message = <<-EOT
        destination_definition.encryption.type is AWS_MANAGED, but the table "${var.table_name}" is encrypted with the customer-managed key ${coalesce(terraform_data.created[0].input.kms_key_arn, "?")}, which Terraform cannot take away. Without that key the copy could not write to the table.
        Change the table's key first, with the destination's credentials, then apply:
          aws dynamodb update-table --region ${data.aws_service.current.region} --table-name ${var.table_name} --sse-specification Enabled=true,SSEType=KMS,KMSMasterKeyId=alias/aws/dynamodb
      EOT
    }

    precondition {
      condition     = length(local.unprovisioned) == 0
      error_message = "The destination table ${var.table_name} is to have provisioned capacity, but for ${join(", ", local.unprovisioned)} there are no units to follow. Set destination_definition = { read_capacity = 5, write_capacity = 5 }, with your numbers, or those of the index."
    }

    precondition {
      condition     = length(local.untyped) == 0
      error_message = "Indexes of the destination table ${var.table_name} are to have the key attributes ${join(", ", local.untyped)}, of which the source does not know the type. Give it, as S, N or B: destination_definition.attributes = { ${join(", ", [for name in local.untyped : "\"${name}\" = \"S\""])} }."
    }

    precondition {
      condition     = local.encryption.type != "CUSTOMER_MANAGED" || local.encryption.kms_key_arn != null
      error_message = <<-EOT
        The source table is encrypted with a customer-managed key, which is of its account alone; the destination table ${var.table_name} needs one of its own.
        Set destination_definition.encryption = { type = "CUSTOMER_MANAGED", kms_key_arn = "arn:aws:kms:..." } with a key of the destination's account and region, or type = "AWS_MANAGED" or "AWS_OWNED".
      EOT
    }

    precondition {
      condition     = local.encryption.kms_key_arn == null ? true : split(":", local.encryption.kms_key_arn)[3] == data.aws_service.current.region
      error_message = <<-EOT
        destination_definition.encryption.kms_key_arn is ${coalesce(local.encryption.kms_key_arn, "?")}; the destination table ${var.table_name} is in ${data.aws_service.current.region}, and DynamoDB encrypts it with a key of its own region only.
        Give a key there. Its keys lists, with the destination's credentials:
          aws kms list-keys --region ${data.aws_service.current.region}
      EOT
    }
  }

  depends_on = [var.copy, aws_iam_role_policy.this, terraform_data.absent]
}

# As the table is created. What cannot be changed later is refused in our words by the table's preconditions.
resource "terraform_data" "created" {
  count = var.create ? 1 : 0

  input = {
    key                     = local.source_key
    local_secondary_indexes = local.local_secondary_indexes
    # Null for AWS's own.
    kms_key_arn = local.encryption.kms_key_arn
  }
  triggers_replace = [var.table_name]

  lifecycle {
    ignore_changes = [input]
  }
}

# Whether the name was free when the copy was first planned. Otherwise the apply would fail after all else was created.
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
        Set destination_table.create = false to copy into the table as it is, or choose another destination_table.name. To see what it is, with the destination's credentials:
          aws dynamodb describe-table --region ${var.location.region} --table-name ${var.table_name}
      EOT
    }
  }
}

# Terraform puts a data source off to the apply, also if only a check of it refers to a resource that is yet to be made:
# nothing in this block and the next may refer to what comes from modules/copy's record.
data "aws_service" "current" {
  service_id = "dynamodb"
}

# Listed before it is looked up: a missing table, or one that should not be there, would otherwise end in the provider's
# words. Null where there is no table at all.
data "aws_dynamodb_tables" "here" {
  count = var.enabled ? 1 : 0

  lifecycle {
    postcondition {
      condition     = var.create || contains(coalesce(self.names, []), var.table_name)
      error_message = <<-EOT
        The destination table ${var.table_name} does not exist in region ${data.aws_service.current.region} of the destination account, and destination_table.create is false.
        Set destination_table.create = true, or correct destination_table.name; the tables there lists, with the destination's credentials:
          aws dynamodb list-tables --region ${data.aws_service.current.region}
      EOT
    }
  }
}

data "aws_dynamodb_table" "existing" {
  count = var.enabled && !var.create ? 1 : 0

  # A destroy without the table reads another one, as modules/copy does of the source.
  name = contains(coalesce(data.aws_dynamodb_tables.here[0].names, []), var.table_name) ? var.table_name : try(data.aws_dynamodb_tables.here[0].names[0], var.table_name)
}

locals {
  existing = one([for table in data.aws_dynamodb_table.existing : table if table.name == var.table_name])

  # Built, not referenced, for the role's policy: a created table comes after the role.
  table_arn = "arn:${var.location.partition}:dynamodb:${var.location.region}:${var.location.account_id}:table/${var.table_name}"

  # In a fixed order, to be compared.
  local_secondary_indexes = jsonencode({
    for name, index in var.definition.local_secondary_indexes :
    name => merge(index, { non_key_attributes = sort(index.non_key_attributes) })
  })

  # Of an existing table also the one AWS manages: whose key it is, the table does not say.
  kms_key_arns = concat(
    # None is refused by the table.
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
