variable "name" {
  description = "Name of the journal table."
  type        = string
  nullable    = false
}

variable "stream_arn" {
  description = "ARN of the stream that the run follows. Another stream needs another journal. Null if there is no run."
  type        = string
  default     = null
}

variable "kms" {
  description = "Whether a KMS key encrypts the journal, as it does the source table."
  type        = bool
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the customer-managed key. Null for the key that AWS manages."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the table."
  type        = map(string)
  nullable    = false
  default     = {}
}
