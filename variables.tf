# What the rules of the other variables are is said once, in modules/copy/variables.tf.

variable "source_table" {
  description = <<-EOT
    The table to copy, and how to reach its account.

    * `name`, `region`: of the table.
    * `profile`: profile of the AWS configuration; left out, the provider's ordinary chain of credentials.
    * `role_arn`, `external_id`: a role to assume with these credentials.
    * `customer_managed_key`: the table is encrypted with a KMS key of your own, and the journal, which holds keys of its items, is to be, too. With `false` a journal beside a table under KMS takes the key that AWS manages.
  EOT
  type = object({
    name                 = string
    region               = string
    profile              = optional(string)
    role_arn             = optional(string)
    external_id          = optional(string)
    customer_managed_key = optional(bool, false)
  })
  nullable = false

  validation {
    condition     = var.source_table.region == null || can(regex("^[a-z0-9-]+$", var.source_table.region))
    error_message = "source_table.region is ${jsonencode(var.source_table.region)}; allowed are lower-case letters, digits and '-', as in eu-central-1. Give the region's code."
  }

  validation {
    condition     = var.source_table.role_arn == null || can(regex("^arn:[^:]+:iam::[^:]+:role/.+$", var.source_table.role_arn))
    error_message = "source_table.role_arn is ${jsonencode(var.source_table.role_arn)}; allowed is the ARN of a role, as in arn:aws:iam::111122223333:role/path/name. Give the role Terraform and the commands assume on this side, or leave it out."
  }

  validation {
    condition     = var.source_table.external_id == null || var.source_table.role_arn != null
    error_message = "source_table.external_id is ${jsonencode(var.source_table.external_id)}, but source_table.role_arn is not set; an external id goes with a role. Set source_table.role_arn too, or leave the external id out."
  }
}

variable "destination_table" {
  description = <<-EOT
    The table to copy into, and how to reach its account.

    * `name`, `region`: of the table; left out, the source table's.
    * `profile`, `role_arn`, `external_id`: as for the source.
    * `create`: `true` creates the table from the source's definition and `destination_definition`, `false` takes an existing one by its name, as it is.
    * `allow_items`: let `tablecopy start` begin although the destination table holds items. The copy overwrites items with the same key and never deletes the others. No apply starts such a run.
  EOT
  type = object({
    name        = optional(string)
    region      = optional(string)
    profile     = optional(string)
    role_arn    = optional(string)
    external_id = optional(string)
    create      = optional(bool, true)
    allow_items = optional(bool, false)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.destination_table.region == null || can(regex("^[a-z0-9-]+$", var.destination_table.region))
    error_message = "destination_table.region is ${jsonencode(var.destination_table.region)}; allowed are lower-case letters, digits and '-', as in eu-central-1. Give the region's code."
  }

  validation {
    condition     = var.destination_table.role_arn == null || can(regex("^arn:[^:]+:iam::[^:]+:role/.+$", var.destination_table.role_arn))
    error_message = "destination_table.role_arn is ${jsonencode(var.destination_table.role_arn)}; allowed is the ARN of a role, as in arn:aws:iam::111122223333:role/path/name. Give the role Terraform and the commands assume on this side, or leave it out."
  }

  validation {
    condition     = var.destination_table.external_id == null || var.destination_table.role_arn != null
    error_message = "destination_table.external_id is ${jsonencode(var.destination_table.external_id)}, but destination_table.role_arn is not set; an external id goes with a role. Set destination_table.role_arn too, or leave the external id out."
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
}

variable "external_id" {
  description = "External id the functions give when they assume the destination role. Left out, one is generated and kept for the life of the copy. It is no secret."
  type        = string
  default     = null
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
}

variable "dashboard" {
  description = "Whether there is a CloudWatch dashboard of the run in the source account. AWS gives three dashboards to an account for nothing and takes 3 USD a month for each further one; a copy exists for days or weeks, and who looks after it should see it at a glance. With many tables, `false` for most."
  type        = bool
  nullable    = false
  default     = true
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
}

variable "tags" {
  description = "Tags of every resource, on top of the providers' default tags."
  type        = map(string)
  nullable    = false
  default     = {}
}
