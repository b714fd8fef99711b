variable "name" {
  description = "Name of the journal table."
  type        = string
  nullable    = false
}

variable "stream_arn" {
  description = "ARN of the stream the journal's run follows. Another stream needs another journal."
  type        = string
  nullable    = false
}

variable "kms" {
  description = "Whether the source table is encrypted with a KMS key; the journal then is, too."
  type        = bool
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the customer-managed key; null for the one AWS manages."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the table."
  type        = map(string)
  nullable    = false
  default     = {}
}
