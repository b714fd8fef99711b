variable "name" {
  description = "Name of the function that answers operators, and of its role."
  type        = string
  nullable    = false
}

variable "reconciler_name" {
  description = "Name of the reconciler's function and its role."
  type        = string
  nullable    = false
}

variable "schedule_name" {
  description = "Name of the schedule and its role."
  type        = string
  nullable    = false
}

variable "settings" {
  description = "How the run goes; see the variables of modules/copy."
  type = object({
    start_on_apply         = bool
    segments               = number
    concurrency            = number
    slice_seconds          = number
    drained_after_seconds  = number
    record_age_fraction    = number
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

variable "event_source_mapping" {
  description = "UUID and ARN of the replicator's event source mapping."
  type        = object({ uuid = string, arn = string })
  nullable    = false
}

variable "failure_queue" {
  description = "URL and ARN of the replicator's failure queue."
  type        = object({ url = string, arn = string })
  nullable    = false
}

variable "state_machine_arn" {
  description = "ARN of the backfill's state machine."
  type        = string
  nullable    = false
}

variable "state_machine_executions" {
  description = "What the ARNs of the state machine's executions begin with."
  type        = string
  nullable    = false
}

variable "place" {
  description = "Partition, account and region of the source side, as recorded; data sources may be put off to the apply."
  type        = object({ partition = string, account_id = string, region = string })
  nullable    = false
}

variable "environment" {
  description = "Environment variables all functions share."
  type        = map(string)
  nullable    = false
}

variable "journal_arn" {
  description = "ARN of the journal table."
  type        = string
  nullable    = false
}

variable "table_key_arns" {
  description = "ARNs of the KMS keys the source table and the journal are encrypted with; none for the key AWS owns."
  type        = list(string)
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the key for log and environment variables; null for AWS's own."
  type        = string
  default     = null
}

variable "role" {
  description = "Path and permissions boundary of every role."
  type        = object({ path = string, permissions_boundary_arn = optional(string) })
  nullable    = false
}

variable "vpc" {
  description = "Network the functions run in; null for Lambda's own."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "streams_endpoint_url" {
  description = "URL at which the reconciler reaches DynamoDB Streams; null for the public endpoint."
  type        = string
  default     = null
}

variable "destination_table_arn" {
  description = "ARN of the destination table. The schedule waits for the table."
  type        = string
  nullable    = false
}

variable "destination_role_arn" {
  description = "ARN of the role in the destination account."
  type        = string
  nullable    = false
}

variable "architecture" {
  description = "Processor architecture of the functions."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days the logs are kept."
  type        = number
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  nullable    = false
  default     = {}
}
