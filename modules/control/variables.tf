variable "function" {
  description = "Settings that the functions share, and that modules/function takes."
  type = object({
    location           = object({ partition = string, account_id = string, region = string })
    table_key_arns     = list(string)
    kms_key_arn        = optional(string)
    role               = object({ path = string, permissions_boundary_arn = optional(string) })
    vpc                = optional(object({ subnet_ids = list(string), security_group_ids = list(string) }))
    architecture       = string
    log_retention_days = number
    tags               = optional(map(string), {})
  })
  nullable = false
}

variable "environment" {
  description = "Environment variables that the functions share. Apart from `function`, because the destination role, which they name, trusts the function's role."
  type        = map(string)
  nullable    = false
}

variable "names" {
  description = "Names of control's function, the reconciler's function and the schedule, and of their roles."
  type        = object({ control = string, reconciler = string, schedule = string })
  nullable    = false
}

variable "settings" {
  description = "Settings of the run and the reconciler. See the variables `backfill`, `control` and `prices` of modules/copy."
  type = object({
    start_on_apply         = bool
    segments               = number
    concurrency            = number
    slice_seconds          = number
    drained_after_seconds  = number
    record_age_fraction    = number
    begin_at_seal          = optional(string)
    allow_items            = bool
    memory_mb              = number
    reserved_concurrency   = optional(number)
    unreserved_concurrency = number
    replicator_reserved    = optional(bool, false)
    prices = object({
      currency          = string
      read_per_million  = number
      write_per_million = number
    })
    streams_endpoint_url = optional(string)
  })
  nullable = false
}

variable "source_table_arn" {
  description = "ARN of the source table."
  type        = string
  nullable    = false
}

variable "stream_arn" {
  description = "ARN of the source table's stream."
  type        = string
  nullable    = false
}

variable "replicator" {
  description = "The replicator's event source mapping and failure queue."
  type = object({
    event_source_mapping = object({ uuid = string, arn = string })
    failure_queue        = object({ url = string, arn = string })
  })
  nullable = false
}

variable "backfill" {
  description = "The backfill's state machine: its ARN, and the prefix of its executions' ARNs."
  type        = object({ state_machine = object({ arn = string, executions = string }) })
  nullable    = false
}

variable "verification" {
  description = "The tracker's function, the verifier's state machine, and how it compares. Null for none."
  type = object({
    tracker       = object({ name = string, arn = string })
    state_machine = object({ arn = string, executions = string })
    segments      = number
    concurrency   = number
  })
  default = null
}

variable "journal" {
  description = "Name and ARN of the journal table, and the ARN of its customer-managed key, if any."
  type        = object({ name = string, arn = string, kms_key_arn = optional(string) })
  nullable    = false
}

variable "destination_role_arn" {
  description = "ARN of the role in the destination account that the functions assume."
  type        = string
  nullable    = false
}

variable "destination_table_arn" {
  description = "ARN of the destination table. The schedule waits for the table."
  type        = string
  nullable    = false
}
