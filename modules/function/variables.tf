variable "name" {
  description = "Name of the function, its role and its log group."
  type        = string
  nullable    = false
}

variable "description" {
  description = "What the function does."
  type        = string
  nullable    = false
}

variable "handler" {
  description = "Python path of the handler."
  type        = string
  nullable    = false
}

variable "timeout_seconds" {
  description = "Longest run of an invocation."
  type        = number
  nullable    = false
}

variable "memory_mb" {
  description = "Memory of the function."
  type        = number
  nullable    = false
}

variable "reserved_concurrency" {
  description = "Executions kept for the function, and the most it may have; null for none and no limit."
  type        = number
  default     = null
}

variable "place" {
  description = "Partition, account and region of the function."
  type        = object({ partition = string, account_id = string, region = string })
  nullable    = false
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
  nullable    = false
}

variable "policy_json" {
  description = "What the function may do, beside writing its log."
  type        = string
  nullable    = false
}

variable "table_key_arns" {
  description = "ARNs of the KMS keys the source table and the journal are encrypted with; none for the key AWS owns."
  type        = list(string)
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the key for the log and the environment variables; null for AWS's own."
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

variable "architecture" {
  description = "Processor architecture."
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
