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
  description = "Batch, timeout and memory; see the variable `replicator` of modules/copy."
  type = object({
    batch_size              = number
    batching_window_seconds = number
    timeout_seconds         = number
    memory_mb               = number
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

variable "kms_key_arn" {
  description = "ARN of the key the source table and the journal are encrypted with; null for the key AWS owns."
  type        = string
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
