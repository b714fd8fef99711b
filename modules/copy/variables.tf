variable "source_table" {
  description = <<-EOT
    Table to copy. The provider `aws.source` sets its account and region.

    * `name`: table name.
    * `profile`, `role_arn`, `external_id`: access settings for the output `commands` only. They show how the person who runs the commands reaches the account.
    * `customer_managed_key`: whether a KMS key of your own encrypts the table. With `true`, the same key encrypts the journal, which holds keys of the table's items. With `false`, the journal of a table under KMS uses the key that AWS manages.
  EOT
  type = object({
    name                 = string
    profile              = optional(string)
    role_arn             = optional(string)
    external_id          = optional(string)
    customer_managed_key = optional(bool, false)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{3,255}$", var.source_table.name))
    error_message = "source_table.name is ${jsonencode(var.source_table.name)}; allowed are 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'. Set it to the table's name, not its ARN."
  }
}

variable "destination_table" {
  description = <<-EOT
    Table to copy into. The provider `aws.destination` sets its account and region.

    * `name`: table name. By default the source table's name.
    * `profile`, `role_arn`, `external_id`: access settings for the output `commands` only, as for the source table.
    * `create`: whether to create the table from the source table's definition and `destination_definition`. With `false`, the copy uses the existing table with this name as it is.
    * `allow_items`: whether `tablecopy start` may start the run although the destination table holds items. The copy overwrites items with the same key and never deletes the others. An apply never starts such a run.
  EOT
  type = object({
    name        = optional(string)
    profile     = optional(string)
    role_arn    = optional(string)
    external_id = optional(string)
    create      = optional(bool, true)
    allow_items = optional(bool, false)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.destination_table.name == null || can(regex("^[a-zA-Z0-9_.-]{3,255}$", var.destination_table.name))
    error_message = "destination_table.name is ${jsonencode(var.destination_table.name)}; allowed are 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'. Set it to the table's name, not its ARN."
  }
}

variable "destination_definition" {
  description = <<-EOT
    Settings of a created destination table that differ from the source table's. Settings that you leave out follow the source table as it was at the first apply. Keys always follow it. TTL stays off until the cutover (output `commands.time_to_live`).

    * `billing_mode`: `PAY_PER_REQUEST` or `PROVISIONED`.
    * `read_capacity`, `write_capacity`: provisioned units of the table, and of every index that does not set its own.
    * `on_demand_throughput`: maximum request units per second of an on-demand table. -1 means no maximum. Only the AWS CLI can remove a maximum that is already set.
    * `table_class`: `STANDARD` or `STANDARD_INFREQUENT_ACCESS`.
    * `point_in_time_recovery`: whether point-in-time recovery is on, and for how many days.
    * `encryption`: encryption at rest. `type` is `AWS_OWNED`, `AWS_MANAGED` or `CUSTOMER_MANAGED`. `CUSTOMER_MANAGED` requires the `kms_key_arn` of a key in the destination's account and region. Required if the source table has a customer-managed key, because only the source account can use that key.
    * `deletion_protection`: whether the table is protected from deletion. By default `true`, whatever the source table has, so that `terraform destroy` cannot delete the copied data.
    * `stream_view_type`: view type of the destination table's own stream. By default the source table's, so that consumers and a rollback can start at the cutover. `NONE` means no stream.
    * `tags`: tags in place of the source table's. The module's `tags` are added to them.
    * `attributes`: types (`S`, `N`, `B`) of index key attributes that the source table does not define.
    * `global_secondary_indexes`, `local_secondary_indexes`: indexes by name, in place of all of the source table's. You cannot change local indexes after the table is created.
    * `warm_throughput`: read and write units per second to warm the table and each of its global indexes for. The provider cannot set it, so the output `commands.warm_throughput` has the command.
  EOT
  type = object({
    billing_mode   = optional(string)
    read_capacity  = optional(number)
    write_capacity = optional(number)
    on_demand_throughput = optional(object({
      max_read_request_units  = optional(number, -1)
      max_write_request_units = optional(number, -1)
    }))
    table_class = optional(string)
    point_in_time_recovery = optional(object({
      enabled                 = optional(bool, true)
      recovery_period_in_days = optional(number)
    }))
    encryption = optional(object({
      type        = string
      kms_key_arn = optional(string)
    }))
    deletion_protection = optional(bool)
    stream_view_type    = optional(string)
    tags                = optional(map(string))
    attributes          = optional(map(string), {})
    global_secondary_indexes = optional(map(object({
      hash_key           = string
      range_key          = optional(string, "")
      projection_type    = optional(string, "ALL")
      non_key_attributes = optional(list(string), [])
      read_capacity      = optional(number)
      write_capacity     = optional(number)
      on_demand_throughput = optional(object({
        max_read_request_units  = optional(number, -1)
        max_write_request_units = optional(number, -1)
      }))
    })))
    local_secondary_indexes = optional(map(object({
      range_key          = string
      projection_type    = optional(string, "ALL")
      non_key_attributes = optional(list(string), [])
    })))
    warm_throughput = optional(object({
      read_units_per_second  = number
      write_units_per_second = number
    }))
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.destination_definition.billing_mode == null ? true : contains(["PAY_PER_REQUEST", "PROVISIONED"], var.destination_definition.billing_mode)
    error_message = "destination_definition.billing_mode is ${jsonencode(var.destination_definition.billing_mode)}; allowed are PAY_PER_REQUEST and PROVISIONED. Leave it out to follow the source table."
  }

  validation {
    condition = alltrue([
      for units in flatten([
        [var.destination_definition.read_capacity, var.destination_definition.write_capacity],
        [for index in values(coalesce(var.destination_definition.global_secondary_indexes, {})) : [index.read_capacity, index.write_capacity]],
      ]) : units == null ? true : units >= 1 && floor(units) == units
    ])
    error_message = "destination_definition has the provisioned units ${jsonencode({ read_capacity = var.destination_definition.read_capacity, write_capacity = var.destination_definition.write_capacity, global_secondary_indexes = { for name, index in coalesce(var.destination_definition.global_secondary_indexes, {}) : name => [index.read_capacity, index.write_capacity] } })}; allowed are whole numbers from 1. Correct the others, or leave them out to follow the source table."
  }

  validation {
    condition = alltrue([
      for limit in concat([var.destination_definition.on_demand_throughput], [for index in values(coalesce(var.destination_definition.global_secondary_indexes, {})) : index.on_demand_throughput]) :
      limit == null ? true : alltrue([for units in values(limit) : units == -1 || units >= 1 && floor(units) == units])
    ])
    error_message = "destination_definition.on_demand_throughput is ${jsonencode(var.destination_definition.on_demand_throughput)}, and of the indexes ${jsonencode({ for name, index in coalesce(var.destination_definition.global_secondary_indexes, {}) : name => index.on_demand_throughput if index.on_demand_throughput != null })}; allowed are whole numbers from 1, or -1 for no maximum. Correct the others."
  }

  validation {
    condition = try(var.destination_definition.point_in_time_recovery.recovery_period_in_days, null) == null ? true : (
      var.destination_definition.point_in_time_recovery.enabled
      && contains(range(1, 36), var.destination_definition.point_in_time_recovery.recovery_period_in_days)
    )
    error_message = "destination_definition.point_in_time_recovery is ${jsonencode(var.destination_definition.point_in_time_recovery)}; allowed are 1 to 35 days, and only with enabled = true. Correct the days, or leave them out."
  }

  validation {
    condition     = var.destination_definition.encryption == null ? true : contains(["AWS_OWNED", "AWS_MANAGED", "CUSTOMER_MANAGED"], var.destination_definition.encryption.type)
    error_message = "destination_definition.encryption.type is ${jsonencode(try(var.destination_definition.encryption.type, null))}; allowed are AWS_OWNED, AWS_MANAGED and CUSTOMER_MANAGED. Leave encryption out to follow the source table."
  }

  validation {
    condition     = var.destination_definition.encryption == null ? true : (var.destination_definition.encryption.type == "CUSTOMER_MANAGED") == (var.destination_definition.encryption.kms_key_arn != null)
    error_message = "destination_definition.encryption has type ${jsonencode(try(var.destination_definition.encryption.type, null))} and kms_key_arn ${jsonencode(try(var.destination_definition.encryption.kms_key_arn, null))}; allowed is a kms_key_arn with CUSTOMER_MANAGED only. Set both, or leave the ARN out."
  }

  validation {
    condition     = try(var.destination_definition.encryption.kms_key_arn, null) == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[^:]+:key/.+$", var.destination_definition.encryption.kms_key_arn))
    error_message = "destination_definition.encryption.kms_key_arn is ${jsonencode(try(var.destination_definition.encryption.kms_key_arn, null))}; allowed is the ARN of a key, for example arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab. Set the key's own ARN, not an alias, because policies name the key."
  }

  validation {
    condition     = var.destination_definition.stream_view_type == null ? true : contains(["NONE", "KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"], var.destination_definition.stream_view_type)
    error_message = "destination_definition.stream_view_type is ${jsonencode(var.destination_definition.stream_view_type)}; allowed are KEYS_ONLY, NEW_IMAGE, OLD_IMAGE, NEW_AND_OLD_IMAGES and NONE. Leave it out to follow the source table."
  }

  validation {
    condition     = alltrue([for key in keys(coalesce(var.destination_definition.tags, {})) : !startswith(lower(key), "aws:")])
    error_message = "destination_definition.tags has the keys ${jsonencode(keys(coalesce(var.destination_definition.tags, {})))}; allowed are keys that do not begin with aws:, which AWS reserves. Rename the others."
  }

  validation {
    condition     = alltrue([for type in values(var.destination_definition.attributes) : contains(["S", "N", "B"], type)])
    error_message = "destination_definition.attributes is ${jsonencode(var.destination_definition.attributes)}; allowed are the types of key attributes: S (string), N (number) and B (binary). Correct the others."
  }

  validation {
    condition = alltrue([
      for index in concat(values(coalesce(var.destination_definition.global_secondary_indexes, {})), values(coalesce(var.destination_definition.local_secondary_indexes, {}))) :
      contains(["ALL", "KEYS_ONLY", "INCLUDE"], index.projection_type)
    ])
    error_message = "destination_definition has indexes with the projections ${jsonencode({ for name, index in merge(coalesce(var.destination_definition.global_secondary_indexes, {}), coalesce(var.destination_definition.local_secondary_indexes, {})) : name => index.projection_type })}; allowed are ALL, KEYS_ONLY and INCLUDE. Correct the others."
  }

  validation {
    condition = alltrue([
      for index in concat(values(coalesce(var.destination_definition.global_secondary_indexes, {})), values(coalesce(var.destination_definition.local_secondary_indexes, {}))) :
      (index.projection_type == "INCLUDE") == (length(index.non_key_attributes) > 0)
    ])
    error_message = "destination_definition has indexes with the non_key_attributes ${jsonencode({ for name, index in merge(coalesce(var.destination_definition.global_secondary_indexes, {}), coalesce(var.destination_definition.local_secondary_indexes, {})) : name => index.non_key_attributes })}; allowed are non_key_attributes with the projection INCLUDE only. Set projection_type = \"INCLUDE\" or leave them out."
  }

  validation {
    condition = alltrue([
      for name in concat(keys(coalesce(var.destination_definition.global_secondary_indexes, {})), keys(coalesce(var.destination_definition.local_secondary_indexes, {}))) :
      can(regex("^[a-zA-Z0-9_.-]{3,255}$", name))
    ])
    error_message = "destination_definition has indexes with the names ${jsonencode(concat(keys(coalesce(var.destination_definition.global_secondary_indexes, {})), keys(coalesce(var.destination_definition.local_secondary_indexes, {}))))}; allowed are 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'. Rename the others."
  }

  validation {
    condition     = length(setintersection(keys(coalesce(var.destination_definition.global_secondary_indexes, {})), keys(coalesce(var.destination_definition.local_secondary_indexes, {})))) == 0
    error_message = "destination_definition names both a global and a local index ${jsonencode(setintersection(keys(coalesce(var.destination_definition.global_secondary_indexes, {})), keys(coalesce(var.destination_definition.local_secondary_indexes, {}))))}; allowed is one index of each name. Rename one of them."
  }

  validation {
    condition     = length(coalesce(var.destination_definition.local_secondary_indexes, {})) <= 5
    error_message = "destination_definition.local_secondary_indexes has ${length(coalesce(var.destination_definition.local_secondary_indexes, {}))} indexes; allowed are 5 for each table. Remove some."
  }

  validation {
    condition     = var.destination_definition.warm_throughput == null ? true : alltrue([for units in values(var.destination_definition.warm_throughput) : units >= 1 && floor(units) == units])
    error_message = "destination_definition.warm_throughput is ${jsonencode(var.destination_definition.warm_throughput)}; allowed are whole numbers from 1; DynamoDB rejects less than the table has (12000 read and 4000 write units for a new on-demand table). Correct them."
  }
}

variable "enabled" {
  description = "Whether the copy exists. Set `false` after the cutover: it removes everything except the destination table that this module created."
  type        = bool
  nullable    = false
  default     = true
}

variable "start_on_apply" {
  description = "Whether the first apply starts the run. An apply starts a run only into an empty destination table. After you disable and enable the copy, or after the journal is replaced, the run waits for the command in the output `commands.start`. With `false`, every run waits for it."
  type        = bool
  nullable    = false
  default     = true
}

variable "name" {
  description = "Prefix of all resource names. The source table's name and a hash of both tables' locations follow it, so that several copies do not collide. If you change it later, Terraform replaces every resource except the destination table. The journal and the run are lost, and the new run waits for `tablecopy start`."
  type        = string
  nullable    = false
  default     = "tablecopy"

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,19}$", var.name))
    error_message = "name is ${jsonencode(var.name)}; allowed are up to 20 of a-z, A-Z, 0-9 and '-', starting with a-z or A-Z. Choose another prefix."
  }
}

# Settings that must be whole numbers: the minimum, the maximum, and advice.
locals {
  whole_numbers = {
    backfill = {
      segments        = { min = 1, max = 10000, advice = "Use 16, or one for each 20 GB of a larger table. tablecopy estimate prints a number." }
      concurrency     = { min = 1, max = 10000, advice = "Use 16, or up to one for each 1000 write units per second that the destination accepts." }
      slice_seconds   = { min = 1, max = 21600, advice = "A change waits until the slice ends, and a stream keeps it for 24 hours only. Use 3600 or less." }
      timeout_seconds = { min = 30, max = 900, advice = "The last 15 seconds stay free, so that no write is in progress when Lambda ends the function. Use 300." }
      memory_mb       = { min = 128, max = 10240, advice = "Use 512." }
    }
    replicator = {
      batch_size              = { min = 1, max = 1000, advice = "The reconciler reads 1000 records ahead. Use 1000." }
      batching_window_seconds = { min = 0, max = 10, advice = "With more, the replicator never catches up to the source, and no slice follows. Use 1, or 5 from about 100 shards with changes." }
      timeout_seconds         = { min = 30, max = 900, advice = "The last 15 seconds stay free, so that no write is in progress when Lambda ends the function. Use 60." }
      memory_mb               = { min = 128, max = 10240, advice = "Use 512." }
    }
    verification = {
      segments        = { min = 1, max = 10000, advice = "Use 16, or one for each 20 GB of a larger table. tablecopy estimate prints a number." }
      concurrency     = { min = 1, max = 10000, advice = "Use 16, which read more than the default quota of a table allows." }
      timeout_seconds = { min = 60, max = 900, advice = "The last 20 seconds stay free to save the progress. Use 900." }
      memory_mb       = { min = 256, max = 10240, advice = "Use 1769, a whole processor." }
    }
    control = {
      drained_after_seconds = { min = 1, max = 3600, advice = "Use 60." }
      memory_mb             = { min = 128, max = 10240, advice = "Use 256, or 1769 from about 1000 open shards." }
    }
  }
}

variable "backfill" {
  description = <<-EOT
    Parallel scan that copies the existing items once.

    * `segments`: number of segments of the parallel scan. Fixed after the run has started. Use at least one for each 20 GB of the table, and a multiple of `concurrency`. `tablecopy estimate` prints the number for your table.
    * `concurrency`: number of segments to scan at the same time, each by a worker. A worker writes at most 1,000 units per second, because it writes to one partition of the destination at a time. Use up to 40 for a table above 100 GB.
    * `read_capacity`, `write_capacity`: budgets in units per second over all workers: read units of the source table, and write units of the destination table and its indexes. By default the backfill adapts to the throughput that the tables allow, and uses at most half of a provisioned source table's capacity.
    * `slice_seconds`: maximum time in seconds for which the replicator is paused while segments are scanned. A run pauses it for less if `control.record_age_fraction` requires it.
    * `timeout_seconds`, `memory_mb`: timeout and memory of the function. 512 MB suffice for tables of any size.
    * `reserved_concurrency`: concurrent executions to reserve for the function, which is also their maximum. By default the function shares the account's unreserved executions.
  EOT
  type = object({
    segments             = optional(number, 16)
    concurrency          = optional(number, 16)
    read_capacity        = optional(number)
    write_capacity       = optional(number)
    slice_seconds        = optional(number, 3600)
    timeout_seconds      = optional(number, 300)
    memory_mb            = optional(number, 512)
    reserved_concurrency = optional(number)
  })
  nullable = false
  default  = {}

  validation {
    condition = alltrue([for setting, range in local.whole_numbers.backfill : var.backfill[setting] == max(range.min, min(range.max, floor(var.backfill[setting])))])
    error_message = join(" ", [
      for setting, range in local.whole_numbers.backfill : "backfill.${setting} is ${var.backfill[setting]}; allowed are whole numbers from ${range.min} to ${range.max}. ${range.advice}"
      if var.backfill[setting] != max(range.min, min(range.max, floor(var.backfill[setting])))
    ])
  }

  # Fewer segments than the default concurrency are fine: the other workers do not start.
  validation {
    condition     = var.backfill.concurrency <= max(16, var.backfill.segments)
    error_message = "backfill.concurrency is ${var.backfill.concurrency} and backfill.segments is ${var.backfill.segments}; allowed is a concurrency up to the segments, because one worker scans a segment. Raise backfill.segments to ${var.backfill.concurrency} or more, or lower backfill.concurrency."
  }

  # A conditional, because `||` evaluates its right side even if the left one is true.
  validation {
    condition = alltrue([for units in [var.backfill.read_capacity, var.backfill.write_capacity] :
      units == null ? true : units >= 5 * min(var.backfill.concurrency, var.backfill.segments) && floor(units) == units
    ])
    error_message = "backfill.read_capacity is ${jsonencode(var.backfill.read_capacity)} and backfill.write_capacity is ${jsonencode(var.backfill.write_capacity)}; allowed are whole numbers from ${5 * min(var.backfill.concurrency, var.backfill.segments)}, which is 5 for each of ${min(var.backfill.concurrency, var.backfill.segments)} concurrent workers. Raise the budget, lower backfill.concurrency, or leave the budget out."
  }

  # One more than the segments: the worker that resolves dead letters.
  validation {
    condition     = var.backfill.reserved_concurrency == null ? true : var.backfill.reserved_concurrency >= min(var.backfill.concurrency, var.backfill.segments + 1) && floor(var.backfill.reserved_concurrency) == var.backfill.reserved_concurrency
    error_message = "backfill.reserved_concurrency is ${jsonencode(var.backfill.reserved_concurrency)}; allowed are whole numbers from ${min(var.backfill.concurrency, var.backfill.segments + 1)}, the number of workers of a slice. Raise it, lower backfill.concurrency, or leave it out."
  }
}

variable "replicator" {
  description = <<-EOT
    Function that applies stream records to the destination table, and its event source mapping.

    * `batch_size`, `batching_window_seconds`: Lambda invokes the function when a batch has this many records, or when the window ends. A shard with changes costs an invocation and three journal writes in each window. From about 100 such shards, set the window to 5.
    * `timeout_seconds`, `memory_mb`: timeout and memory of the function.
    * `reserved_concurrency`: concurrent executions to reserve for the function, as for the backfill. Lambda runs one execution for each shard of the stream. A stream has about one shard for each partition of the table. With fewer executions, shards wait for each other.
  EOT
  type = object({
    batch_size              = optional(number, 1000)
    batching_window_seconds = optional(number, 1)
    timeout_seconds         = optional(number, 60)
    memory_mb               = optional(number, 512)
    reserved_concurrency    = optional(number)
  })
  nullable = false
  default  = {}

  validation {
    condition = alltrue([for setting, range in local.whole_numbers.replicator : var.replicator[setting] == max(range.min, min(range.max, floor(var.replicator[setting])))])
    error_message = join(" ", [
      for setting, range in local.whole_numbers.replicator : "replicator.${setting} is ${var.replicator[setting]}; allowed are whole numbers from ${range.min} to ${range.max}. ${range.advice}"
      if var.replicator[setting] != max(range.min, min(range.max, floor(var.replicator[setting])))
    ])
  }

  validation {
    condition     = var.replicator.reserved_concurrency == null ? true : var.replicator.reserved_concurrency >= 1 && floor(var.replicator.reserved_concurrency) == var.replicator.reserved_concurrency
    error_message = "replicator.reserved_concurrency is ${jsonencode(var.replicator.reserved_concurrency)}; allowed are whole numbers from 1. With 0, no change would be applied. Use the number of the stream's shards, or leave it out."
  }
}

variable "control" {
  description = <<-EOT
    Reconciler, which moves the run from phase to phase.

    * `drained_after_seconds`: seconds for which repeated reads of a shard must return nothing before the shard counts as drained.
    * `record_age_fraction`: maximum age of a change that is not yet applied, as a fraction of the 24 hours for which a stream keeps it. The slices are shortened to meet it. A run that cannot meet it stops and shows the setting to raise.
    * `begin_at_seal`: time at which a copy in the other direction was sealed with a proof, which `tablecopy cutover` prints. The run then scans nothing and applies what was written since. Requires `destination_table.allow_items`.
    * `memory_mb`: memory of the reconciler's function, which reads every shard of the stream. Use 1769, a whole processor, from about 1,000 open shards.
    * `reserved_concurrency`: concurrent executions to reserve for the reconciler, as for the backfill. One pass runs at a time. Above 500 open shards it also needs one for each 500 shards, and reads more slowly with fewer. The function that answers the commands has none reserved.
  EOT
  type = object({
    drained_after_seconds = optional(number, 60)
    record_age_fraction   = optional(number, 0.5)
    begin_at_seal         = optional(string)
    memory_mb             = optional(number, 256)
    reserved_concurrency  = optional(number)
  })
  nullable = false
  default  = {}

  validation {
    condition = alltrue([for setting, range in local.whole_numbers.control : var.control[setting] == max(range.min, min(range.max, floor(var.control[setting])))])
    error_message = join(" ", [
      for setting, range in local.whole_numbers.control : "control.${setting} is ${var.control[setting]}; allowed are whole numbers from ${range.min} to ${range.max}. ${range.advice}"
      if var.control[setting] != max(range.min, min(range.max, floor(var.control[setting])))
    ])
  }

  validation {
    condition     = var.control.record_age_fraction >= 0.05 && var.control.record_age_fraction <= 0.9
    error_message = "control.record_age_fraction is ${var.control.record_age_fraction}; allowed are 0.05 to 0.9 of 24 hours. With less, a slice copies almost nothing. With more, no time is left to act. Use 0.5."
  }

  validation {
    condition     = var.control.begin_at_seal == null ? true : can(formatdate("YYYY", var.control.begin_at_seal)) && var.destination_table.allow_items
    error_message = "control.begin_at_seal is ${jsonencode(var.control.begin_at_seal)} and destination_table.allow_items is ${var.destination_table.allow_items}; allowed is a time such as 2026-01-31T09:30:00Z with allow_items = true, because both tables hold the items. Use the block that tablecopy cutover printed."
  }

  validation {
    condition     = var.control.reserved_concurrency == null ? true : var.control.reserved_concurrency >= 1 && floor(var.control.reserved_concurrency) == var.control.reserved_concurrency
    error_message = "control.reserved_concurrency is ${jsonencode(var.control.reserved_concurrency)}; allowed are whole numbers from 1. With 0, the run would never move. Set 1, or leave it out."
  }
}

variable "verification" {
  description = <<-EOT
    Comparison of both tables in the source account, which `tablecopy verify --in-account` starts. If it is not enabled, its functions, state machine and roles do not exist.

    * `enabled`: whether you can start it.
    * `segments`: number of segments of the parallel scans. Use at least one for each 20 GB of the table, and a multiple of `concurrency`. `tablecopy estimate` prints the number for your table.
    * `concurrency`: number of segments to compare at the same time, each by a worker. 16 workers read up to 48,000 units per second of each table, more than a table's default quota. Use more only for items below 200 bytes or with a higher quota.
    * `read_capacity`, `destination_read_capacity`: budgets in read units per second over all workers, of the source and of the destination table. By default the workers adapt to the throughput that the tables allow, and use at most half of a provisioned table's capacity.
    * `timeout_seconds`, `memory_mb`: timeout and memory of the function. 1769 MB, a whole processor, suffice for tables of any size.
    * `reserved_concurrency`: concurrent executions to reserve for the function, as for the backfill. The replicator keeps running during a verification.

    While a verification is in progress, and afterwards until the cutover, the tracker compares again what is written on either side. It shares the budgets and has the same memory. The destination table needs a stream for this, with any view type.
  EOT
  type = object({
    enabled                   = optional(bool, false)
    segments                  = optional(number, 16)
    concurrency               = optional(number, 16)
    read_capacity             = optional(number)
    destination_read_capacity = optional(number)
    timeout_seconds           = optional(number, 900)
    memory_mb                 = optional(number, 1769)
    reserved_concurrency      = optional(number)
  })
  nullable = false
  default  = {}

  validation {
    condition = alltrue([for setting, range in local.whole_numbers.verification : var.verification[setting] == max(range.min, min(range.max, floor(var.verification[setting])))])
    error_message = join(" ", [
      for setting, range in local.whole_numbers.verification : "verification.${setting} is ${var.verification[setting]}; allowed are whole numbers from ${range.min} to ${range.max}. ${range.advice}"
      if var.verification[setting] != max(range.min, min(range.max, floor(var.verification[setting])))
    ])
  }

  # A conditional, because `||` evaluates its right side even if the left one is true.
  validation {
    condition = alltrue([for units in [var.verification.read_capacity, var.verification.destination_read_capacity] :
      units == null ? true : units >= 5 * min(var.verification.concurrency, var.verification.segments) && floor(units) == units
    ])
    error_message = "verification.read_capacity is ${jsonencode(var.verification.read_capacity)} and verification.destination_read_capacity is ${jsonencode(var.verification.destination_read_capacity)}; allowed are whole numbers from ${5 * min(var.verification.concurrency, var.verification.segments)}, which is 5 for each of ${min(var.verification.concurrency, var.verification.segments)} concurrent workers. Raise the budget, lower verification.concurrency, or leave the budget out."
  }

  validation {
    condition     = var.verification.reserved_concurrency == null ? true : var.verification.reserved_concurrency >= min(var.verification.concurrency, var.verification.segments) && floor(var.verification.reserved_concurrency) == var.verification.reserved_concurrency
    error_message = "verification.reserved_concurrency is ${jsonencode(var.verification.reserved_concurrency)}; allowed are whole numbers from ${min(var.verification.concurrency, var.verification.segments)}, the number of workers. Raise it, lower verification.concurrency, or leave it out."
  }
}

variable "prices" {
  description = <<-EOT
    Prices that the cost estimate of a run uses. They change nothing else.

    * `currency`: currency code, for example USD.
    * `read_per_million`, `write_per_million`: price of a million read or write request units. The defaults are the prices of on-demand tables of the class Standard in us-east-1 since November 2024.
  EOT
  type = object({
    currency          = optional(string, "USD")
    read_per_million  = optional(number, 0.125)
    write_per_million = optional(number, 0.625)
  })
  nullable = false
  default  = {}

  validation {
    condition     = can(regex("^[A-Z]{3}$", var.prices.currency))
    error_message = "prices.currency is ${jsonencode(var.prices.currency)}; allowed is a currency code of three of A-Z, for example USD. Correct it."
  }

  validation {
    condition     = var.prices.read_per_million >= 0 && var.prices.write_per_million >= 0
    error_message = "prices.read_per_million is ${var.prices.read_per_million} and prices.write_per_million is ${var.prices.write_per_million}; allowed are prices from 0. Set the prices of your region for a million request units."
  }
}

variable "alarms" {
  description = <<-EOT
    CloudWatch alarms in the source account. docs/reference.md explains each alarm and what to do.

    * `enabled`: whether the alarms exist.
    * `unapplied_change_age_fraction`: alarm threshold for the age of the oldest change that is not yet applied, as a fraction of the 24 hours for which a stream keeps it. By default half of `control.record_age_fraction`.
    * `topic_arns`: SNS topics to notify when an alarm fires and when it ends.
    * `create_topic`: whether to create another topic, to which only these alarms may publish.
    * `email_addresses`: addresses to subscribe to the created topic. The owner of each address must confirm a message from AWS first.
  EOT
  type = object({
    enabled                       = optional(bool, true)
    unapplied_change_age_fraction = optional(number)
    topic_arns                    = optional(list(string), [])
    create_topic                  = optional(bool, false)
    email_addresses               = optional(list(string), [])
  })
  nullable = false
  default  = {}

  # A conditional, because `||` evaluates its right side even if the left one is true.
  validation {
    condition     = var.alarms.unapplied_change_age_fraction == null ? true : var.alarms.unapplied_change_age_fraction >= 0.01 && var.alarms.unapplied_change_age_fraction <= 0.9
    error_message = "alarms.unapplied_change_age_fraction is ${jsonencode(var.alarms.unapplied_change_age_fraction)}; allowed are 0.01 to 0.9 of 24 hours. Use 0.25, which leaves time to act, or leave it out."
  }

  validation {
    condition     = var.alarms.unapplied_change_age_fraction == null ? true : var.alarms.unapplied_change_age_fraction <= var.control.record_age_fraction
    error_message = "alarms.unapplied_change_age_fraction is ${jsonencode(var.alarms.unapplied_change_age_fraction)}; allowed are fractions up to control.record_age_fraction, which is ${var.control.record_age_fraction}. A run stops before a change is older than that. Lower the first, or raise the second."
  }

  validation {
    condition     = alltrue([for arn in var.alarms.topic_arns : can(regex("^arn:[^:]+:sns:[^:]+:[^:]+:.+$", arn))])
    error_message = "alarms.topic_arns is ${jsonencode(var.alarms.topic_arns)}; allowed are ARNs of SNS topics, for example arn:aws:sns:eu-central-1:111122223333:oncall. Correct the others."
  }

  validation {
    condition     = var.alarms.enabled || !var.alarms.create_topic
    error_message = "alarms.create_topic is ${var.alarms.create_topic}, but alarms.enabled is ${var.alarms.enabled}; allowed is a topic with alarms that publish to it. Set alarms.enabled to true, or alarms.create_topic to false."
  }

  validation {
    condition     = var.alarms.create_topic || length(var.alarms.email_addresses) == 0
    error_message = "alarms.email_addresses is ${jsonencode(var.alarms.email_addresses)}, but alarms.create_topic is ${var.alarms.create_topic}; allowed are addresses with a created topic. Set alarms.create_topic to true, or subscribe the address to a topic of your own."
  }

  validation {
    condition     = alltrue([for address in var.alarms.email_addresses : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "alarms.email_addresses is ${jsonencode(var.alarms.email_addresses)}; allowed are email addresses, for example oncall@example.com. Correct the others."
  }
}

variable "dashboard" {
  description = "Whether to create a CloudWatch dashboard of the run in the source account. AWS charges 3 USD a month for each dashboard after the first three of an account, so set `false` for most tables if you copy many."
  type        = bool
  nullable    = false
  default     = true
}

variable "roles" {
  description = <<-EOT
    Requirements of your organization for every role in both accounts.

    * `path`: path of all roles. If you change it, Terraform replaces the roles, so change it between runs.
    * `source_permissions_boundary_arn`: permissions boundary of the roles in the source account.
    * `destination_permissions_boundary_arn`: permissions boundary of the role in the destination account.
  EOT
  type = object({
    path                                 = optional(string, "/")
    source_permissions_boundary_arn      = optional(string)
    destination_permissions_boundary_arn = optional(string)
  })
  nullable = false
  default  = {}

  # The characters that Lambda allows in a role ARN. AWS allows 512 of them, but three role ARNs and the external id must
  # fit in the 2048 characters of the destination role's trust policy.
  validation {
    condition     = can(regex("^/([a-zA-Z0-9_+=,.@-]+/)*$", var.roles.path)) && length(var.roles.path) <= 256
    error_message = "roles.path is ${jsonencode(var.roles.path)}; allowed are up to 256 of a-z, A-Z, 0-9 and '_+=,.@-/', starting and ending with '/', for example /platform/copies/. Correct it, or leave it out to use /."
  }

  validation {
    condition = alltrue([for arn in [var.roles.source_permissions_boundary_arn, var.roles.destination_permissions_boundary_arn] :
      arn == null ? true : can(regex("^arn:[^:]+:iam::[^:]+:policy/.+$", arn))
    ])
    error_message = "roles.source_permissions_boundary_arn is ${jsonencode(var.roles.source_permissions_boundary_arn)} and roles.destination_permissions_boundary_arn is ${jsonencode(var.roles.destination_permissions_boundary_arn)}; allowed are ARNs of managed policies, for example arn:aws:iam::111122223333:policy/boundary. Set a policy of the account of the role, or leave it out."
  }
}

variable "external_id" {
  description = "External id that the functions pass when they assume the destination role. By default the module generates one and keeps it as long as the copy exists. It is not a secret."
  type        = string
  default     = null

  # AWS allows 1224 characters. See roles.path for the limit of 256.
  validation {
    condition     = var.external_id == null ? true : can(regex("^[a-zA-Z0-9_+=,.@:/-]{2,256}$", var.external_id))
    error_message = "external_id is ${jsonencode(var.external_id)}; allowed are 2 to 256 of a-z, A-Z, 0-9 and '_+=,.@:/-'. Correct it, or leave it out to generate one."
  }
}

variable "vpc" {
  description = <<-EOT
    VPC of the source account that the functions run in. By default they run in Lambda's own network. The functions must reach DynamoDB and STS in both regions, and Lambda, SQS, Step Functions and DynamoDB Streams in the source region, through a NAT gateway or, if both regions are the same, through VPC endpoints. The interface endpoint of DynamoDB Streams has no private DNS name: without a NAT gateway you must also set `dynamodb_streams_endpoint_url`. A filter on DNS names must allow `ACCOUNT.ddb.REGION.amazonaws.com` as well as `dynamodb.REGION.amazonaws.com`: the AWS SDK calls DynamoDB by the account's own name.

    * `subnet_ids`: private subnets in more than one availability zone.
    * `security_group_ids`: security groups that allow outbound HTTPS.
    * `dynamodb_streams_endpoint_url`: URL at which the reconciler reaches DynamoDB Streams: `https://` and the DNS name of your interface endpoint for `com.amazonaws.REGION.dynamodb-streams`. By default the reconciler uses the public endpoint.
  EOT
  type = object({
    subnet_ids                    = list(string)
    security_group_ids            = list(string)
    dynamodb_streams_endpoint_url = optional(string)
  })
  default = null

  validation {
    condition     = var.vpc == null ? true : length(var.vpc.subnet_ids) > 0 && alltrue([for id in var.vpc.subnet_ids : can(regex("^subnet-[^ ]+$", id))])
    error_message = "vpc.subnet_ids is ${jsonencode(try(var.vpc.subnet_ids, null))}; allowed are the ids of one or more subnets, for example subnet-0123456789abcdef0. Set private subnets of one VPC, or leave vpc out."
  }

  validation {
    condition     = var.vpc == null ? true : length(var.vpc.security_group_ids) > 0 && length(var.vpc.security_group_ids) <= 5 && alltrue([for id in var.vpc.security_group_ids : can(regex("^sg-[^ ]+$", id))])
    error_message = "vpc.security_group_ids is ${jsonencode(try(var.vpc.security_group_ids, null))}; allowed are the ids of 1 to 5 security groups, for example sg-0123456789abcdef0. Set groups of the subnets' VPC, or leave vpc out."
  }

  validation {
    condition     = try(var.vpc.dynamodb_streams_endpoint_url, null) == null ? true : can(regex("^https://[a-zA-Z0-9.-]+(:[0-9]+)?/?$", var.vpc.dynamodb_streams_endpoint_url))
    error_message = "vpc.dynamodb_streams_endpoint_url is ${jsonencode(try(var.vpc.dynamodb_streams_endpoint_url, null))}; allowed is the URL of an interface endpoint, for example https://vpce-1a2b3c4d-5e6f.streams.dynamodb.eu-central-1.vpce.amazonaws.com. Use the first DNS name of the endpoint, or leave it out."
  }
}

variable "kms_key_arn" {
  description = <<-EOT
    ARN of a KMS key of your own, in the source region, that encrypts the functions' logs and environment variables, the failure queue, the alarm topic, and the journal if the source table has no customer-managed key. A journal keeps the key it was created with, so leave that key in place while the copy exists. By default AWS's own keys encrypt them. The key policy must allow:

    * `logs.REGION.amazonaws.com` to call kms:Encrypt, kms:Decrypt, kms:ReEncrypt*, kms:GenerateDataKey* and kms:Describe*, if kms:EncryptionContext:aws:logs:arn matches `arn:aws:logs:REGION:ACCOUNT:log-group:/aws/lambda/NAME-*`;
    * `cloudwatch.amazonaws.com` to call kms:Decrypt and kms:GenerateDataKey*, if aws:SourceAccount is the source account and there is a topic;
    * the account's IAM policies to decide on the rest: the replicator's role has the permissions that the queue requires, and the person who applies needs kms:CreateGrant, kms:Encrypt and kms:Decrypt for the environment variables.
  EOT
  type        = string
  default     = null

  # CloudWatch Logs does not accept an alias.
  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[^:]+:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is ${jsonencode(var.kms_key_arn)}; allowed is the ARN of a KMS key, for example arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab. Set the key's ARN, not its alias, or leave it out."
  }
}

variable "architecture" {
  description = "Processor architecture of the functions: `arm64` or `x86_64`."
  type        = string
  nullable    = false
  default     = "arm64"
}

variable "log_retention_days" {
  description = "Days to keep the functions' logs. 0 keeps them forever."
  type        = number
  nullable    = false
  default     = 30

  validation {
    condition     = var.log_retention_days >= 0 && floor(var.log_retention_days) == var.log_retention_days
    error_message = "log_retention_days is ${var.log_retention_days}; allowed are the periods of CloudWatch Logs, for example 30 or 365, and 0 to keep logs forever. Use the next longer period."
  }
}

variable "tags" {
  description = "Tags of every resource, in addition to the providers' default tags."
  type        = map(string)
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:")])
    error_message = "tags has the keys ${jsonencode(keys(var.tags))}; allowed are keys that do not begin with aws:, which AWS reserves. Rename the others."
  }
}
