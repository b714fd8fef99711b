# Definition of the destination table: the source table's at the first apply, and the caller's settings in its place.
#
# It is recorded for the same reason as the tables are. `terraform apply -replace` of the record reads the source table's present
# definition and changes the destination table in place.

locals {
  observed_definition = local.reported == null ? null : {
    hash_key             = local.reported.hash_key
    range_key            = local.reported.range_key
    attributes           = { for attribute in local.reported.attribute : attribute.name => attribute.type }
    billing_mode         = local.reported.billing_mode
    read_capacity        = local.reported.read_capacity
    write_capacity       = local.reported.write_capacity
    on_demand_throughput = one(local.reported.on_demand_throughput)
    table_class          = coalesce(local.reported.table_class, "STANDARD")
    point_in_time_recovery = one([for recovery in local.reported.point_in_time_recovery : {
      enabled = recovery.enabled
      # Reported as 0 if it is unknown.
      recovery_period_in_days = recovery.recovery_period_in_days == 0 ? null : recovery.recovery_period_in_days
    }])
    kms                         = anytrue(local.reported.server_side_encryption[*].enabled)
    deletion_protection_enabled = local.reported.deletion_protection_enabled
    stream_view_type            = local.reported.stream_view_type
    # Without the tags that only AWS's own services may set.
    tags = { for key, value in local.reported.tags : key => value if !startswith(key, "aws:") }
    # Null if TTL is off.
    time_to_live_attribute = one([for ttl in local.reported.ttl : ttl.attribute_name if ttl.enabled])
    global_secondary_indexes = {
      for index in local.reported.global_secondary_index : index.name => {
        hash_key             = index.hash_key
        range_key            = index.range_key
        projection_type      = index.projection_type
        non_key_attributes   = index.non_key_attributes
        read_capacity        = index.read_capacity
        write_capacity       = index.write_capacity
        on_demand_throughput = one(index.on_demand_throughput)
      }
    }
    local_secondary_indexes = {
      for index in local.reported.local_secondary_index : index.name => {
        range_key          = index.range_key
        projection_type    = index.projection_type
        non_key_attributes = index.non_key_attributes
      }
    }
  }
}

resource "terraform_data" "definition" {
  input = local.observed_definition

  triggers_replace = [var.source_table.name, local.destination_name]

  lifecycle {
    ignore_changes = [input]
  }

  # The record's errors come first.
  depends_on = [terraform_data.record]
}

locals {
  recorded = terraform_data.definition.input

  override = var.destination_definition

  definition = {
    hash_key  = local.recorded.hash_key
    range_key = local.recorded.range_key
    # The types of the table's key stay the source table's.
    attributes = merge(local.recorded.attributes, local.override.attributes, {
      for name, type in local.recorded.attributes : name => type if contains([local.recorded.hash_key, local.recorded.range_key], name)
    })
    billing_mode         = coalesce(local.override.billing_mode, local.recorded.billing_mode)
    read_capacity        = try(coalesce(local.override.read_capacity, local.recorded.read_capacity), 0)
    write_capacity       = try(coalesce(local.override.write_capacity, local.recorded.write_capacity), 0)
    on_demand_throughput = local.override.on_demand_throughput != null ? local.override.on_demand_throughput : local.recorded.on_demand_throughput
    table_class          = coalesce(local.override.table_class, local.recorded.table_class)
    point_in_time_recovery = (
      local.override.point_in_time_recovery != null ? local.override.point_in_time_recovery : local.recorded.point_in_time_recovery
    )
    # A key belongs to one account and region, so the destination table cannot use the source table's.
    encryption = local.override.encryption != null ? local.override.encryption : {
      type        = !local.recorded.kms ? "AWS_OWNED" : var.source_table.customer_managed_key ? "CUSTOMER_MANAGED" : "AWS_MANAGED"
      kms_key_arn = null
    }
    # Not the source table's: after the cutover this table holds the only copy of the data.
    deletion_protection = coalesce(local.override.deletion_protection, true)
    stream_view_type    = coalesce(local.override.stream_view_type, local.recorded.stream_view_type)
    tags                = local.override.tags != null ? local.override.tags : local.recorded.tags

    global_secondary_indexes = {
      for name, index in(local.override.global_secondary_indexes != null ? local.override.global_secondary_indexes : local.recorded.global_secondary_indexes) :
      name => merge(index, {
        # An index has its own units, or the table's. An on-demand index is reported with 0.
        read_capacity  = try(coalesce(index.read_capacity == 0 ? null : index.read_capacity, local.override.read_capacity, local.recorded.read_capacity), 0)
        write_capacity = try(coalesce(index.write_capacity == 0 ? null : index.write_capacity, local.override.write_capacity, local.recorded.write_capacity), 0)
      })
    }
    local_secondary_indexes = (
      local.override.local_secondary_indexes != null ? local.override.local_secondary_indexes : local.recorded.local_secondary_indexes
    )
  }

  # Without provisioned units, which auto scaling changes all the time.
  capacities = ["read_capacity", "write_capacity"]
  comparable = {
    for at, definition in { then = local.recorded, now = local.observed_definition } : at => {
      for aspect, value in merge(definition, {
        global_secondary_indexes = {
          for name, index in try(definition.global_secondary_indexes, {}) :
          name => { for field, setting in index : field => setting if !contains(local.capacities, field) }
        }
      }) : aspect => jsonencode(value) if !contains(local.capacities, aspect)
    }
  }
  # The source table is not read while the copy is disabled. If TTL is turned off there, for example for the cutover, the
  # destination does not change.
  changed_aspects = local.observed_definition == null ? [] : [
    for aspect, value in local.comparable.now : aspect
    if value != try(local.comparable.then[aspect], null) && !(aspect == "time_to_live_attribute" && value == "null")
  ]
}

check "source_definition" {
  assert {
    condition     = length(local.changed_aspects) == 0
    error_message = <<-EOT
      The definition of the source table "${var.source_table.name}" has changed since this copy was created (${join(", ", local.changed_aspects)}). The destination table still has the former definition.
      To change it in the same way, with the address from `terraform state list | grep terraform_data.definition`:
        terraform apply -replace='ADDRESS'
      To keep the destination table, do nothing, or set destination_definition.
    EOT
  }
}
