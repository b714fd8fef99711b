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
    condition     = var.source_table.region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]+$", var.source_table.region))
    error_message = "source_table.region is ${jsonencode(var.source_table.region)}; allowed is the code of an AWS region, as in eu-central-1. Correct it."
  }

  validation {
    condition     = var.source_table.role_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", var.source_table.role_arn))
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
    * `create`: `true` creates the table from the source's definition, `false` takes an existing one by its name.
    * `deletion_protection`: of a created table, so that `terraform destroy` cannot take the copied data along.
    * `allow_items`: start although the destination holds items already. The copy overwrites items with the same key and never deletes the others.
  EOT
  type = object({
    name                = optional(string)
    region              = optional(string)
    profile             = optional(string)
    role_arn            = optional(string)
    external_id         = optional(string)
    create              = optional(bool, true)
    deletion_protection = optional(bool, true)
    allow_items         = optional(bool, false)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.destination_table.region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]+$", var.destination_table.region))
    error_message = "destination_table.region is ${jsonencode(var.destination_table.region)}; allowed is the code of an AWS region, as in eu-central-1. Correct it."
  }

  validation {
    condition     = var.destination_table.role_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", var.destination_table.role_arn))
    error_message = "destination_table.role_arn is ${jsonencode(var.destination_table.role_arn)}; allowed is the ARN of a role, as in arn:aws:iam::111122223333:role/path/name. Give the role Terraform and the commands assume on this side, or leave it out."
  }

  validation {
    condition     = var.destination_table.external_id == null || var.destination_table.role_arn != null
    error_message = "destination_table.external_id is ${jsonencode(var.destination_table.external_id)}, but destination_table.role_arn is not set; an external id goes with a role. Set destination_table.role_arn too, or leave the external id out."
  }
}

variable "enabled" {
  description = "Whether the copy exists. `false` removes everything but the destination table this module created, and is the way to take the module apart after the cutover."
  type        = bool
  nullable    = false
  default     = true
}

variable "start_on_apply" {
  description = "Whether the run starts by itself after the first apply. A later apply never starts a run again. With `false`, start it with the command of the output `commands.start`."
  type        = bool
  nullable    = false
  default     = true
}

variable "name" {
  description = "What the names of all resources begin with. The source table's name and a hash of both tables' places follow, so that several copies do not collide."
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
  EOT
  type = object({
    segments        = optional(number, 16)
    concurrency     = optional(number, 16)
    read_capacity   = optional(number)
    write_capacity  = optional(number)
    slice_seconds   = optional(number, 3600)
    timeout_seconds = optional(number, 300)
    memory_mb       = optional(number, 512)
  })
  nullable = false
  default  = {}
}

variable "replicator" {
  description = <<-EOT
    The function that applies stream records to the destination, and the event source mapping that feeds it.

    * `batch_size`, `batching_window_seconds`: a batch is handed over when it holds so many records or the window is over.
    * `timeout_seconds`, `memory_mb`: of the function.
  EOT
  type = object({
    batch_size              = optional(number, 1000)
    batching_window_seconds = optional(number, 1)
    timeout_seconds         = optional(number, 60)
    memory_mb               = optional(number, 512)
  })
  nullable = false
  default  = {}
}

variable "control" {
  description = <<-EOT
    The reconciler that moves the run on.

    * `drained_after_seconds`: for how long a shard must stay empty, read again and again, until it counts as drained.
    * `record_age_fraction`: no change of the source may wait longer for the destination than this fraction of the 24 hours for which a stream keeps it. Slices are cut to that; a run that could not keep it stops before, and says what to raise.
  EOT
  type = object({
    drained_after_seconds = optional(number, 60)
    record_age_fraction   = optional(number, 0.5)
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
    CloudWatch alarms in the source account.

    * `enabled`: whether there are any.
    * `unapplied_change_age_seconds`: alarm when the oldest change not yet applied is older. A stream keeps a record for 24 hours (86400 s); later it is lost.
    * `topic_arns`: SNS topics told when an alarm goes off and when it is over.
  EOT
  type = object({
    enabled                      = optional(bool, true)
    unapplied_change_age_seconds = optional(number, 21600)
    topic_arns                   = optional(list(string), [])
  })
  nullable = false
  default  = {}
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
