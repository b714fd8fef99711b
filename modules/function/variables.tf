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

variable "region" {
  description = "Region of the function."
  type        = string
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

variable "kms_key_arn" {
  description = "ARN of the key the source table and the journal are encrypted with; null for the key AWS owns."
  type        = string
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
