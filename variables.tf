# modules/copy validates these settings, except how each side is reached, and describes their fields. The tables in the README
# combine both.

variable "source_table" {
  description = <<-EOT
    Table to copy, and how to reach its account.

    * `region`: region of the table.
    * `profile`: AWS profile. By default the provider finds credentials as usual.
    * `role_arn`, `external_id`: role to assume with these credentials.
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
    error_message = "source_table.region is ${jsonencode(var.source_table.region)}; allowed are a-z, 0-9 and '-', for example eu-central-1. Set the region's code."
  }

  validation {
    condition     = var.source_table.role_arn == null || can(regex("^arn:[^:]+:iam::[^:]+:role/.+$", var.source_table.role_arn))
    error_message = "source_table.role_arn is ${jsonencode(var.source_table.role_arn)}; allowed is a role ARN, for example arn:aws:iam::111122223333:role/path/name. Set the role that Terraform and the commands assume on this side, or leave it out."
  }

  validation {
    condition     = var.source_table.external_id == null || var.source_table.role_arn != null
    error_message = "source_table.external_id is ${jsonencode(var.source_table.external_id)}, but source_table.role_arn is not set; allowed is an external id with a role only. Set source_table.role_arn as well, or leave the external id out."
  }
}

variable "destination_table" {
  description = <<-EOT
    Table to copy into, and how to reach its account.

    * `region`: region of the table. By default the source table's region.
    * `profile`, `role_arn`, `external_id`: access settings, as for the source table.
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
    error_message = "destination_table.region is ${jsonencode(var.destination_table.region)}; allowed are a-z, 0-9 and '-', for example eu-central-1. Set the region's code."
  }

  validation {
    condition     = var.destination_table.role_arn == null || can(regex("^arn:[^:]+:iam::[^:]+:role/.+$", var.destination_table.role_arn))
    error_message = "destination_table.role_arn is ${jsonencode(var.destination_table.role_arn)}; allowed is a role ARN, for example arn:aws:iam::111122223333:role/path/name. Set the role that Terraform and the commands assume on this side, or leave it out."
  }

  validation {
    condition     = var.destination_table.external_id == null || var.destination_table.role_arn != null
    error_message = "destination_table.external_id is ${jsonencode(var.destination_table.external_id)}, but destination_table.role_arn is not set; allowed is an external id with a role only. Set destination_table.role_arn as well, or leave the external id out."
  }
}

variable "destination_definition" {
  description = "Settings of a created destination table that differ from the source table's. Settings that you leave out follow the source table as it was at the first apply. Keys always follow it. TTL stays off until the cutover (output `commands.time_to_live`)."
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
}

variable "backfill" {
  description = "Parallel scan that copies the existing items once."
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
  description = "Function that applies stream records to the destination table, and its event source mapping."
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
  description = "Reconciler, which moves the run from phase to phase."
  type = object({
    drained_after_seconds = optional(number, 60)
    record_age_fraction   = optional(number, 0.5)
    begin_at_seal         = optional(string)
    memory_mb             = optional(number, 256)
    reserved_concurrency  = optional(number)
  })
  nullable = false
  default  = {}
}

variable "verification" {
  description = "Comparison of both tables in the source account, which `tablecopy verify --in-account` starts."
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
}

variable "prices" {
  description = "Prices that the cost estimate of a run uses. They change nothing else."
  type = object({
    currency          = optional(string, "USD")
    read_per_million  = optional(number, 0.125)
    write_per_million = optional(number, 0.625)
  })
  nullable = false
  default  = {}
}

variable "alarms" {
  description = "CloudWatch alarms in the source account. docs/reference.md explains each alarm and what to do."
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
  description = "Requirements of your organization for every role in both accounts."
  type = object({
    path                                 = optional(string, "/")
    source_permissions_boundary_arn      = optional(string)
    destination_permissions_boundary_arn = optional(string)
  })
  nullable = false
  default  = {}
}

variable "external_id" {
  description = "External id that the functions pass when they assume the destination role. By default the module generates one and keeps it as long as the copy exists. It is not a secret."
  type        = string
  default     = null
}

variable "vpc" {
  description = "VPC of the source account that the functions run in. By default they run in Lambda's own network. The functions must reach DynamoDB and STS in both regions, and Lambda, SQS, Step Functions and DynamoDB Streams in the source region, through a NAT gateway or, if both regions are the same, through VPC endpoints. The interface endpoint of DynamoDB Streams has no private DNS name: without a NAT gateway you must also set `dynamodb_streams_endpoint_url`. A filter on DNS names must allow `ACCOUNT.ddb.REGION.amazonaws.com` as well as `dynamodb.REGION.amazonaws.com`: the AWS SDK calls DynamoDB by the account's own name."
  type = object({
    subnet_ids                    = list(string)
    security_group_ids            = list(string)
    dynamodb_streams_endpoint_url = optional(string)
  })
  default = null
}

variable "kms_key_arn" {
  description = "ARN of a KMS key of your own, in the source region, that encrypts the functions' logs and environment variables, the failure queue, the alarm topic, and the journal if the source table has no customer-managed key. A journal keeps the key it was created with, so leave that key in place while the copy exists. By default AWS's own keys encrypt them."
  type        = string
  default     = null
}

variable "dashboard" {
  description = "Whether to create a CloudWatch dashboard of the run in the source account. AWS charges 3 USD a month for each dashboard after the first three of an account, so set `false` for most tables if you copy many."
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
  description = "Days to keep the functions' logs. 0 keeps them forever."
  type        = number
  nullable    = false
  default     = 30
}

variable "tags" {
  description = "Tags of every resource, in addition to the providers' default tags."
  type        = map(string)
  nullable    = false
  default     = {}
}
