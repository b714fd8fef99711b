variable "source_table" {
  description = <<-EOT
    The table to copy. The provider `aws.source` decides on account and region.

    * `name`: of the table.
    * `profile`, `role_arn`, `external_id`: only for the commands in the output `commands`: how the person who runs them reaches the account.
    * `customer_managed_key`: the table is encrypted with a KMS key of your own, and the journal, which holds keys of its items, is to be, too. With `false` a journal beside a table under KMS takes the key that AWS manages.
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
    error_message = "source_table.name is ${jsonencode(var.source_table.name)}; allowed are 3 to 255 letters, digits, '_', '-' and '.'. Give the name of the table, not its ARN."
  }
}

variable "destination_table" {
  description = <<-EOT
    The table to copy into. The provider `aws.destination` decides on account and region.

    * `name`: of the table; left out, the source table's.
    * `profile`, `role_arn`, `external_id`: only for the commands in the output `commands`, as for the source.
    * `create`: `true` creates the table from the source's definition and `destination_definition`, `false` takes an existing one by its name, as it is.
    * `allow_items`: let `tablecopy start` begin although the destination table holds items. The copy overwrites items with the same key and never deletes the others. No apply starts such a run.
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
    error_message = "destination_table.name is ${jsonencode(var.destination_table.name)}; allowed are 3 to 255 letters, digits, '_', '-' and '.'. Give the name of the table, not its ARN."
  }
}

variable "destination_definition" {
  description = <<-EOT
    What a created destination table has in place of what the source has. Whatever is left out follows the source as it was at the first apply. Keys always follow it; time to live stays off until the cutover (output `commands.time_to_live`).

    * `billing_mode`: `PAY_PER_REQUEST` or `PROVISIONED`.
    * `read_capacity`, `write_capacity`: provisioned units of the table, and of every index that says nothing else.
    * `on_demand_throughput`: maximum of request units per second of an on-demand table; -1 is none. One that is in force already is taken away with the AWS CLI only.
    * `table_class`: `STANDARD` or `STANDARD_INFREQUENT_ACCESS`.
    * `point_in_time_recovery`: whether, and for how many days back.
    * `encryption`: `type` is `AWS_OWNED`, `AWS_MANAGED` or `CUSTOMER_MANAGED`, the last with the `kms_key_arn` of a key in the destination's account and region. Needed where the source has a customer-managed key, which is of its account alone.
    * `deletion_protection`: left out, `true` whatever the source has: `terraform destroy` cannot take the copied data along.
    * `stream_view_type`: of the destination's own stream; the source's view type lets its consumers, and a rollback, begin at the cutover. `NONE` is no stream.
    * `tags`: instead of the source's. `tags` of the module come on top.
    * `attributes`: types (`S`, `N`, `B`) of key attributes of indexes that the source does not have.
    * `global_secondary_indexes`, `local_secondary_indexes`: by name, instead of all of the source's. Local ones cannot be changed once the table exists.
    * `warm_throughput`: read and write units per second the table and each of its global indexes are warmed for. The provider cannot set it: it becomes the output `commands.warm_throughput`.
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
    error_message = "destination_definition.billing_mode is ${jsonencode(var.destination_definition.billing_mode)}; allowed are PAY_PER_REQUEST and PROVISIONED. Leave it out to follow the source."
  }

  validation {
    condition = alltrue([
      for units in flatten([
        [var.destination_definition.read_capacity, var.destination_definition.write_capacity],
        [for index in values(coalesce(var.destination_definition.global_secondary_indexes, {})) : [index.read_capacity, index.write_capacity]],
      ]) : units == null ? true : units >= 1 && floor(units) == units
    ])
    error_message = "destination_definition has the provisioned units ${jsonencode({ read_capacity = var.destination_definition.read_capacity, write_capacity = var.destination_definition.write_capacity, global_secondary_indexes = { for name, index in coalesce(var.destination_definition.global_secondary_indexes, {}) : name => [index.read_capacity, index.write_capacity] } })}; allowed are whole numbers from 1. Correct the others, or leave them out to follow the source."
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
    error_message = "destination_definition.point_in_time_recovery is ${jsonencode(var.destination_definition.point_in_time_recovery)}; allowed are 1 to 35 days, and only with enabled = true. Correct the days or leave them out."
  }

  validation {
    condition     = var.destination_definition.encryption == null ? true : contains(["AWS_OWNED", "AWS_MANAGED", "CUSTOMER_MANAGED"], var.destination_definition.encryption.type)
    error_message = "destination_definition.encryption.type is ${jsonencode(try(var.destination_definition.encryption.type, null))}; allowed are AWS_OWNED, AWS_MANAGED and CUSTOMER_MANAGED. Leave encryption out to follow the source."
  }

  validation {
    condition     = var.destination_definition.encryption == null ? true : (var.destination_definition.encryption.type == "CUSTOMER_MANAGED") == (var.destination_definition.encryption.kms_key_arn != null)
    error_message = "destination_definition.encryption has type ${jsonencode(try(var.destination_definition.encryption.type, null))} and kms_key_arn ${jsonencode(try(var.destination_definition.encryption.kms_key_arn, null))}; allowed is a kms_key_arn with CUSTOMER_MANAGED, and with nothing else. Give both or leave the ARN out."
  }

  validation {
    condition     = try(var.destination_definition.encryption.kms_key_arn, null) == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[^:]+:key/.+$", var.destination_definition.encryption.kms_key_arn))
    error_message = "destination_definition.encryption.kms_key_arn is ${jsonencode(try(var.destination_definition.encryption.kms_key_arn, null))}; allowed is the ARN of a key, as in arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab. Give the key's own ARN, not an alias: policies name it."
  }

  validation {
    condition     = var.destination_definition.stream_view_type == null ? true : contains(["NONE", "KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"], var.destination_definition.stream_view_type)
    error_message = "destination_definition.stream_view_type is ${jsonencode(var.destination_definition.stream_view_type)}; allowed are NONE, KEYS_ONLY, NEW_IMAGE, OLD_IMAGE and NEW_AND_OLD_IMAGES. Leave it out to follow the source."
  }

  validation {
    condition     = alltrue([for key in keys(coalesce(var.destination_definition.tags, {})) : !startswith(lower(key), "aws:")])
    error_message = "destination_definition.tags has the keys ${jsonencode(keys(coalesce(var.destination_definition.tags, {})))}; allowed are keys that do not begin with aws:, which AWS keeps for itself. Rename the others."
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
    error_message = "destination_definition has indexes with the non_key_attributes ${jsonencode({ for name, index in merge(coalesce(var.destination_definition.global_secondary_indexes, {}), coalesce(var.destination_definition.local_secondary_indexes, {})) : name => index.non_key_attributes })}; allowed are some with the projection INCLUDE, and none with another. Set projection_type = \"INCLUDE\" or leave them out."
  }

  validation {
    condition = alltrue([
      for name in concat(keys(coalesce(var.destination_definition.global_secondary_indexes, {})), keys(coalesce(var.destination_definition.local_secondary_indexes, {}))) :
      can(regex("^[a-zA-Z0-9_.-]{3,255}$", name))
    ])
    error_message = "destination_definition has indexes with the names ${jsonencode(concat(keys(coalesce(var.destination_definition.global_secondary_indexes, {})), keys(coalesce(var.destination_definition.local_secondary_indexes, {}))))}; allowed are 3 to 255 letters, digits, '_', '-' and '.'. Rename the others."
  }

  validation {
    condition     = length(setintersection(keys(coalesce(var.destination_definition.global_secondary_indexes, {})), keys(coalesce(var.destination_definition.local_secondary_indexes, {})))) == 0
    error_message = "destination_definition names both a global and a local index ${jsonencode(setintersection(keys(coalesce(var.destination_definition.global_secondary_indexes, {})), keys(coalesce(var.destination_definition.local_secondary_indexes, {}))))}; allowed is a name once for each table. Rename one of them."
  }

  validation {
    condition     = length(coalesce(var.destination_definition.local_secondary_indexes, {})) <= 5
    error_message = "destination_definition.local_secondary_indexes has ${length(coalesce(var.destination_definition.local_secondary_indexes, {}))} indexes; allowed are 5 for each table. Leave some out."
  }

  validation {
    condition     = var.destination_definition.warm_throughput == null ? true : alltrue([for units in values(var.destination_definition.warm_throughput) : units >= 1 && floor(units) == units])
    error_message = "destination_definition.warm_throughput is ${jsonencode(var.destination_definition.warm_throughput)}; allowed are whole numbers from 1; DynamoDB takes nothing below what the table has (12000 read and 4000 write units of a new on-demand table). Correct them."
  }
}

variable "enabled" {
  description = "Whether the copy exists. `false` removes everything but the destination table this module created, and is the way to take the module apart after the cutover."
  type        = bool
  nullable    = false
  default     = true
}

variable "start_on_apply" {
  description = "Whether the run starts by itself after the first apply, which it does only into an empty destination table. A copy that was disabled and enabled again, and a new journal, wait for the command in the output `commands.start`, and so does every run with `false`."
  type        = bool
  nullable    = false
  default     = true
}

variable "name" {
  description = "Prefix of all resource names. The source table's name and a hash of both tables' places follow, so that several copies do not collide. A later change replaces every resource except the destination table, the journal included: the run is lost, and a new one waits for `tablecopy start`."
  type        = string
  nullable    = false
  default     = "tablecopy"

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,19}$", var.name))
    error_message = "name is ${jsonencode(var.name)}; allowed are up to 20 letters, digits and '-', a letter first. Choose a shorter or plainer one."
  }
}

variable "backfill" {
  description = <<-EOT
    The one-time parallel scan of the source.

    * `segments`: parts of the parallel scan; fixed for a run once it has started.
    * `concurrency`: segments scanned at the same time.
    * `read_capacity`, `write_capacity`: budgets: read units of the source, and write units of the destination and its indexes, per second over all workers. Left out, the backfill finds out by itself how much the tables take; of a source with provisioned capacity it never takes more than half.
    * `slice_seconds`: the longest stretch for which the replicator is paused while segments are scanned. A run takes shorter ones where `control.record_age_fraction` asks for it.
    * `timeout_seconds`, `memory_mb`: of the function.
    * `reserved_concurrency`: executions kept for the function out of the account's, and the most it may have; left out, it shares the account's with all other functions.
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
    condition     = var.backfill.segments >= 1 && var.backfill.segments <= 10000 && floor(var.backfill.segments) == var.backfill.segments
    error_message = "backfill.segments is ${var.backfill.segments}; allowed are whole numbers from 1 to 10000. Take 16, or about one for each GB of a larger table."
  }

  validation {
    condition     = var.backfill.concurrency >= 1 && var.backfill.concurrency <= 10000 && floor(var.backfill.concurrency) == var.backfill.concurrency
    error_message = "backfill.concurrency is ${var.backfill.concurrency}; allowed are whole numbers from 1 to 10000. Take at most what the account has left of concurrent Lambda executions."
  }

  # A conditional, not `||`: that one looks at its right side also when the left one is true.
  validation {
    condition     = var.backfill.read_capacity == null ? true : var.backfill.read_capacity >= 5 * min(var.backfill.concurrency, var.backfill.segments) && floor(var.backfill.read_capacity) == var.backfill.read_capacity
    error_message = "backfill.read_capacity is ${jsonencode(var.backfill.read_capacity)}; allowed are whole numbers from ${5 * min(var.backfill.concurrency, var.backfill.segments)}, which is 5 for each of ${min(var.backfill.concurrency, var.backfill.segments)} concurrent workers: less cannot be shared. Lower backfill.concurrency, or leave the budget out."
  }

  validation {
    condition     = var.backfill.write_capacity == null ? true : var.backfill.write_capacity >= 5 * min(var.backfill.concurrency, var.backfill.segments) && floor(var.backfill.write_capacity) == var.backfill.write_capacity
    error_message = "backfill.write_capacity is ${jsonencode(var.backfill.write_capacity)}; allowed are whole numbers from ${5 * min(var.backfill.concurrency, var.backfill.segments)}, which is 5 for each of ${min(var.backfill.concurrency, var.backfill.segments)} concurrent workers: less cannot be shared. Lower backfill.concurrency, or leave the budget out."
  }

  validation {
    condition     = var.backfill.slice_seconds >= 1 && var.backfill.slice_seconds <= 21600 && floor(var.backfill.slice_seconds) == var.backfill.slice_seconds
    error_message = "backfill.slice_seconds is ${var.backfill.slice_seconds}; allowed are whole numbers from 1 to 21600. A change waits for the end of a slice and a stream keeps it for 24 hours only: take 3600 or less."
  }

  validation {
    condition     = var.backfill.timeout_seconds >= 30 && var.backfill.timeout_seconds <= 900 && floor(var.backfill.timeout_seconds) == var.backfill.timeout_seconds
    error_message = "backfill.timeout_seconds is ${var.backfill.timeout_seconds}; allowed are whole numbers from 30 to 900: the last 15 seconds are kept free, so that no write is still under way when Lambda ends the function. Take 300."
  }

  validation {
    condition     = var.backfill.memory_mb >= 128 && var.backfill.memory_mb <= 10240 && floor(var.backfill.memory_mb) == var.backfill.memory_mb
    error_message = "backfill.memory_mb is ${var.backfill.memory_mb}; allowed are whole numbers from 128 to 10240. Take 512."
  }

  # One more than segments: the worker that settles dead letters.
  validation {
    condition     = var.backfill.reserved_concurrency == null ? true : var.backfill.reserved_concurrency >= min(var.backfill.concurrency, var.backfill.segments + 1) && floor(var.backfill.reserved_concurrency) == var.backfill.reserved_concurrency
    error_message = "backfill.reserved_concurrency is ${jsonencode(var.backfill.reserved_concurrency)}; allowed are whole numbers from ${min(var.backfill.concurrency, var.backfill.segments + 1)}, the workers of a slice: Lambda would turn the others away. Raise it, lower backfill.concurrency, or leave it out."
  }
}

variable "replicator" {
  description = <<-EOT
    The function that applies stream records to the destination, and the event source mapping that feeds it.

    * `batch_size`, `batching_window_seconds`: a batch is handed over when it holds so many records or the window is over.
    * `timeout_seconds`, `memory_mb`: of the function.
    * `reserved_concurrency`: as for the backfill. Lambda runs one execution for each shard of the stream, which has about one for each partition of the table; with fewer, shards wait for one another.
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
    condition     = var.replicator.batch_size >= 1 && var.replicator.batch_size <= 1000 && floor(var.replicator.batch_size) == var.replicator.batch_size
    error_message = "replicator.batch_size is ${var.replicator.batch_size}; allowed are whole numbers from 1 to 1000, which is as far as control looks ahead. Take 1000."
  }

  validation {
    condition     = var.replicator.batching_window_seconds >= 0 && var.replicator.batching_window_seconds <= 300 && floor(var.replicator.batching_window_seconds) == var.replicator.batching_window_seconds
    error_message = "replicator.batching_window_seconds is ${var.replicator.batching_window_seconds}; allowed are whole numbers from 0 to 300. Take 1."
  }

  validation {
    condition     = var.replicator.timeout_seconds >= 30 && var.replicator.timeout_seconds <= 900 && floor(var.replicator.timeout_seconds) == var.replicator.timeout_seconds
    error_message = "replicator.timeout_seconds is ${var.replicator.timeout_seconds}; allowed are whole numbers from 30 to 900: the last 15 seconds are kept free, so that no write is still under way when Lambda ends the function. Take 60."
  }

  validation {
    condition     = var.replicator.memory_mb >= 128 && var.replicator.memory_mb <= 10240 && floor(var.replicator.memory_mb) == var.replicator.memory_mb
    error_message = "replicator.memory_mb is ${var.replicator.memory_mb}; allowed are whole numbers from 128 to 10240. Take 512."
  }

  validation {
    condition     = var.replicator.reserved_concurrency == null ? true : var.replicator.reserved_concurrency >= 1 && floor(var.replicator.reserved_concurrency) == var.replicator.reserved_concurrency
    error_message = "replicator.reserved_concurrency is ${jsonencode(var.replicator.reserved_concurrency)}; allowed are whole numbers from 1: with 0 no change would ever be applied. Take the number of the stream's shards, or leave it out."
  }
}

variable "control" {
  description = <<-EOT
    The reconciler, which moves the run from phase to phase.

    * `drained_after_seconds`: for how long a shard must stay empty, read again and again, until it counts as drained.
    * `record_age_fraction`: no change of the source may wait longer for the destination than this fraction of the 24 hours for which a stream keeps it. Slices are cut to that; a run that could not keep it stops before, and says what to raise.
    * `memory_mb`: memory of the reconciler's function.
    * `reserved_concurrency`: as for the backfill, for the reconciler. One pass runs at a time; the function that answers operators has none reserved.
  EOT
  type = object({
    drained_after_seconds = optional(number, 60)
    record_age_fraction   = optional(number, 0.5)
    memory_mb             = optional(number, 256)
    reserved_concurrency  = optional(number)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.control.drained_after_seconds >= 1 && var.control.drained_after_seconds <= 3600 && floor(var.control.drained_after_seconds) == var.control.drained_after_seconds
    error_message = "control.drained_after_seconds is ${var.control.drained_after_seconds}; allowed are whole numbers from 1 to 3600. Take 60."
  }

  validation {
    condition     = var.control.record_age_fraction >= 0.05 && var.control.record_age_fraction <= 0.9
    error_message = "control.record_age_fraction is ${var.control.record_age_fraction}; allowed are 0.05 to 0.9 of 24 hours: below, a slice copies next to nothing, above, no time is left to act. Take 0.5."
  }

  validation {
    condition     = var.control.memory_mb >= 128 && var.control.memory_mb <= 10240 && floor(var.control.memory_mb) == var.control.memory_mb
    error_message = "control.memory_mb is ${var.control.memory_mb}; allowed are whole numbers from 128 to 10240. Take 256."
  }

  validation {
    condition     = var.control.reserved_concurrency == null ? true : var.control.reserved_concurrency >= 1 && floor(var.control.reserved_concurrency) == var.control.reserved_concurrency
    error_message = "control.reserved_concurrency is ${jsonencode(var.control.reserved_concurrency)}; allowed are whole numbers from 1: with 0 the run would never move. Set 1, or leave it out."
  }
}

variable "prices" {
  description = <<-EOT
    What the estimate of a run's cost reckons with; it changes nothing else.

    * `currency`: its code, as in USD.
    * `read_per_million`, `write_per_million`: price of a million read or write request units. The defaults are those of on-demand tables of the class Standard in us-east-1 since November 2024.
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
    error_message = "prices.currency is ${jsonencode(var.prices.currency)}; allowed is a code of three capital letters, as in USD. Correct it."
  }

  validation {
    condition     = var.prices.read_per_million >= 0 && var.prices.write_per_million >= 0
    error_message = "prices.read_per_million is ${var.prices.read_per_million} and prices.write_per_million is ${var.prices.write_per_million}; allowed are prices from 0. Take those of your region for a million request units."
  }
}

variable "alarms" {
  description = <<-EOT
    CloudWatch alarms in the source account. docs/reference.md says what each means and what to do.

    * `enabled`: whether there are any.
    * `unapplied_change_age_fraction`: alarm when the oldest change not yet applied is older than this fraction of the 24 hours for which a stream keeps it. Left out, half of `control.record_age_fraction`.
    * `topic_arns`: SNS topics told when an alarm goes off and when it is over.
    * `create_topic`: whether to create a topic, too, to which these alarms alone may publish.
    * `email_addresses`: addresses that the created topic writes to. Each has to confirm a message from AWS first.
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

  # A conditional, not `||`: that one looks at its right side also when the left one is true.
  validation {
    condition     = var.alarms.unapplied_change_age_fraction == null ? true : var.alarms.unapplied_change_age_fraction >= 0.01 && var.alarms.unapplied_change_age_fraction <= 0.9
    error_message = "alarms.unapplied_change_age_fraction is ${jsonencode(var.alarms.unapplied_change_age_fraction)}; allowed are 0.01 to 0.9 of 24 hours. Take one that leaves time to act, as 0.25 does, or leave it out."
  }

  validation {
    condition     = var.alarms.unapplied_change_age_fraction == null ? true : var.alarms.unapplied_change_age_fraction <= var.control.record_age_fraction
    error_message = "alarms.unapplied_change_age_fraction is ${jsonencode(var.alarms.unapplied_change_age_fraction)}; allowed are fractions up to control.record_age_fraction, which is ${var.control.record_age_fraction}: a run stops before a change gets older than that. Lower the one or raise the other."
  }

  validation {
    condition     = alltrue([for arn in var.alarms.topic_arns : can(regex("^arn:[^:]+:sns:[^:]+:[^:]+:.+$", arn))])
    error_message = "alarms.topic_arns is ${jsonencode(var.alarms.topic_arns)}; allowed are ARNs of SNS topics, as in arn:aws:sns:eu-central-1:111122223333:oncall. Correct the others."
  }

  validation {
    condition     = var.alarms.enabled || !var.alarms.create_topic
    error_message = "alarms.create_topic is ${var.alarms.create_topic}, but alarms.enabled is ${var.alarms.enabled}; a topic goes with the alarms that publish to it. Set alarms.enabled to true, or alarms.create_topic to false."
  }

  validation {
    condition     = var.alarms.create_topic || length(var.alarms.email_addresses) == 0
    error_message = "alarms.email_addresses is ${jsonencode(var.alarms.email_addresses)}, but alarms.create_topic is ${var.alarms.create_topic}; an address goes with a created topic. Set alarms.create_topic to true, or subscribe the address to a topic of your own."
  }

  validation {
    condition     = alltrue([for address in var.alarms.email_addresses : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "alarms.email_addresses is ${jsonencode(var.alarms.email_addresses)}; allowed are email addresses, as in oncall@example.com. Correct the others."
  }
}

variable "dashboard" {
  description = "Whether there is a CloudWatch dashboard of the run in the source account. AWS gives three dashboards to an account for nothing and takes 3 USD a month for each further one; a copy exists for days or weeks, and who looks after it should see it at a glance. With many tables, `false` for most."
  type        = bool
  nullable    = false
  default     = true
}

variable "roles" {
  description = <<-EOT
    What an organization asks of every role, in both accounts.

    * `path`: of all roles.
    * `source_permissions_boundary_arn`: policy that bounds the roles in the source account.
    * `destination_permissions_boundary_arn`: policy that bounds the role in the destination account.

    A changed path replaces the roles, so change it between runs.
  EOT
  type = object({
    path                                 = optional(string, "/")
    source_permissions_boundary_arn      = optional(string)
    destination_permissions_boundary_arn = optional(string)
  })
  nullable = false
  default  = {}

  # The characters Lambda takes in a role's ARN; AWS allows 512 of them, but three such ARNs and the external id have to fit
  # in the 2048 characters of the destination role's trust policy.
  validation {
    condition     = can(regex("^/([a-zA-Z0-9_+=,.@-]+/)*$", var.roles.path)) && length(var.roles.path) <= 256
    error_message = "roles.path is ${jsonencode(var.roles.path)}; allowed are up to 256 letters, digits and '_+=,.@-/', a '/' first and last, as in /platform/copies/. Correct it, or leave it out for /."
  }

  validation {
    condition     = var.roles.source_permissions_boundary_arn == null ? true : can(regex("^arn:[^:]+:iam::[^:]+:policy/.+$", var.roles.source_permissions_boundary_arn))
    error_message = "roles.source_permissions_boundary_arn is ${jsonencode(var.roles.source_permissions_boundary_arn)}; allowed is the ARN of a managed policy, as in arn:aws:iam::111122223333:policy/boundary. Give the one of the source account, or leave it out."
  }

  validation {
    condition     = var.roles.destination_permissions_boundary_arn == null ? true : can(regex("^arn:[^:]+:iam::[^:]+:policy/.+$", var.roles.destination_permissions_boundary_arn))
    error_message = "roles.destination_permissions_boundary_arn is ${jsonencode(var.roles.destination_permissions_boundary_arn)}; allowed is the ARN of a managed policy, as in arn:aws:iam::444455556666:policy/boundary. Give the one of the destination account, or leave it out."
  }
}

variable "external_id" {
  description = "External id the functions give when they assume the destination role. Left out, one is generated and kept for the life of the copy. It is no secret."
  type        = string
  default     = null

  # AWS allows 1224 characters; see roles.path.
  validation {
    condition     = var.external_id == null ? true : can(regex("^[a-zA-Z0-9_+=,.@:/-]{2,256}$", var.external_id))
    error_message = "external_id is ${jsonencode(var.external_id)}; allowed are 2 to 256 letters, digits and '_+=,.@:/-'. Shorten it, or leave it out to have one generated."
  }
}

variable "vpc" {
  description = <<-EOT
    VPC of the source account the functions run in; left out, they run in Lambda's own network. The functions must reach DynamoDB and STS in both regions, and Lambda, SQS, Step Functions and DynamoDB Streams in the source's: over a NAT gateway, or, where both regions are the same, over VPC endpoints. The interface endpoint of DynamoDB Streams has no private DNS name: without a NAT gateway you must also set `dynamodb_streams_endpoint_url`. A filter on DNS names must allow `ACCOUNT.ddb.REGION.amazonaws.com` as well as `dynamodb.REGION.amazonaws.com`: the AWS SDK calls DynamoDB by the account's own name.

    * `subnet_ids`: private subnets, in more than one availability zone.
    * `security_group_ids`: groups that let HTTPS out.
    * `dynamodb_streams_endpoint_url`: URL at which the reconciler reaches DynamoDB Streams, which is `https://` and the DNS name of your interface endpoint for `com.amazonaws.REGION.dynamodb-streams`. If it is not set, the reconciler uses the public endpoint.
  EOT
  type = object({
    subnet_ids                    = list(string)
    security_group_ids            = list(string)
    dynamodb_streams_endpoint_url = optional(string)
  })
  default = null

  validation {
    condition     = var.vpc == null ? true : length(var.vpc.subnet_ids) > 0 && alltrue([for id in var.vpc.subnet_ids : can(regex("^subnet-[^ ]+$", id))])
    error_message = "vpc.subnet_ids is ${jsonencode(try(var.vpc.subnet_ids, null))}; allowed are the ids of one subnet or more, as in subnet-0123456789abcdef0. Give private subnets of one VPC, or leave vpc out."
  }

  validation {
    condition     = var.vpc == null ? true : length(var.vpc.security_group_ids) > 0 && length(var.vpc.security_group_ids) <= 5 && alltrue([for id in var.vpc.security_group_ids : can(regex("^sg-[^ ]+$", id))])
    error_message = "vpc.security_group_ids is ${jsonencode(try(var.vpc.security_group_ids, null))}; allowed are the ids of 1 to 5 security groups, as in sg-0123456789abcdef0. Give groups of the subnets' VPC, or leave vpc out."
  }

  validation {
    condition     = try(var.vpc.dynamodb_streams_endpoint_url, null) == null ? true : can(regex("^https://[a-zA-Z0-9.-]+(:[0-9]+)?/?$", var.vpc.dynamodb_streams_endpoint_url))
    error_message = "vpc.dynamodb_streams_endpoint_url is ${jsonencode(try(var.vpc.dynamodb_streams_endpoint_url, null))}; allowed is the URL of an interface endpoint, as in https://vpce-1a2b3c4d-5e6f.streams.dynamodb.eu-central-1.vpce.amazonaws.com. Take the first DNS name of the endpoint, or leave it out."
  }
}

variable "kms_key_arn" {
  description = <<-EOT
    Key of your own, in the source's region, for the functions' logs and environment variables, the failure queue, the alarm topic, and a new journal where the source has no customer-managed key itself. A journal keeps the key it was created with: leave that key in place while the copy exists. Left out, AWS's own keys encrypt them. The key policy must let

    * `logs.REGION.amazonaws.com` do kms:Encrypt, kms:Decrypt, kms:ReEncrypt*, kms:GenerateDataKey* and kms:Describe*, where kms:EncryptionContext:aws:logs:arn is like `arn:aws:logs:REGION:ACCOUNT:log-group:/aws/lambda/NAME-*`;
    * `cloudwatch.amazonaws.com` do kms:Decrypt and kms:GenerateDataKey*, where aws:SourceAccount is the source account, if there is a topic;
    * the account's IAM policies decide on the rest: the replicator's role has what the queue takes, and whoever applies needs kms:CreateGrant, kms:Encrypt and kms:Decrypt for the environment variables.
  EOT
  type        = string
  default     = null

  # CloudWatch Logs takes no alias.
  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[^:]+:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is ${jsonencode(var.kms_key_arn)}; allowed is the ARN of a KMS key, as in arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab. Give the key's ARN, not its alias, or leave it out."
  }
}

variable "architecture" {
  description = "Processor architecture of the functions: `arm64` or `x86_64`."
  type        = string
  nullable    = false
  default     = "arm64"
}

variable "log_retention_days" {
  description = "Days the functions' logs are kept; 0 keeps them for ever."
  type        = number
  nullable    = false
  default     = 30

  validation {
    condition     = var.log_retention_days >= 0 && floor(var.log_retention_days) == var.log_retention_days
    error_message = "log_retention_days is ${var.log_retention_days}; allowed are the periods of CloudWatch Logs, as in 30 or 365, and 0 to keep logs. Take the next longer period."
  }
}

variable "tags" {
  description = "Tags of every resource, on top of the providers' default tags."
  type        = map(string)
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:")])
    error_message = "tags has the keys ${jsonencode(keys(var.tags))}; allowed are keys that do not begin with aws:, which AWS keeps for itself. Rename the others."
  }
}
