variable "name" {
  description = "Name of the function and its role."
  type        = string
  nullable    = false
}

variable "queue_name" {
  description = "Name of the failure queue."
  type        = string
  nullable    = false
}

variable "settings" {
  description = "Batch, timeout, memory and reserved concurrency; see the variable `replicator` of modules/copy."
  type = object({
    batch_size              = number
    batching_window_seconds = number
    timeout_seconds         = number
    memory_mb               = number
    reserved_concurrency    = optional(number)
  })
  nullable = false
}

variable "stream_arn" {
  description = "ARN of the source table's stream."
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

variable "journal_generation" {
  description = "Identity of the journal. Another journal needs another event source mapping."
  type        = string
  nullable    = false
}

variable "table_key_arns" {
  description = "ARNs of the KMS keys the source table and the journal are encrypted with; none for the key AWS owns."
  type        = list(string)
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the key for log, environment variables and failure queue; null for AWS's own."
  type        = string
  default     = null
}

variable "role" {
  description = "Path and permissions boundary of every role."
  type        = object({ path = string, permissions_boundary_arn = optional(string) })
  nullable    = false
}

variable "vpc" {
  description = "Network the function runs in; null for Lambda's own."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "destination_role_arn" {
  description = "ARN of the role in the destination account."
  type        = string
  nullable    = false
}

variable "architecture" {
  description = "Processor architecture of the function."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days the log is kept."
  type        = number
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  nullable    = false
  default     = {}
}
