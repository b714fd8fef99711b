variable "table_name" {
  description = "Table to copy. Its stream must be on."
  type        = string
}

variable "source_region" {
  description = "Region of the table."
  type        = string
  default     = "eu-central-1"
}

variable "source_profile" {
  description = "AWS profile of the source account."
  type        = string
}

variable "destination_table_name" {
  description = "Table to copy into; left out, the name of the source table."
  type        = string
  default     = null
}

variable "destination_region" {
  description = "Region to copy into; left out, the region of the source table."
  type        = string
  default     = null
}

variable "destination_profile" {
  description = "AWS profile of the destination account."
  type        = string
}

variable "deletion_protection" {
  description = "Whether the destination table is protected from deletion."
  type        = bool
  default     = true
}

variable "enabled" {
  description = "Whether the copy exists; `false` removes everything but the destination table."
  type        = bool
  default     = true
}

variable "alarm_email_addresses" {
  description = "Addresses that the alarms are sent to, once confirmed."
  type        = list(string)
  nullable    = false
  default     = []
}

variable "alarm_topic_arns" {
  description = "SNS topics the alarms tell."
  type        = list(string)
  default     = []
}

variable "source_permissions_boundary_arn" {
  description = "Policy of the source account that bounds the roles there."
  type        = string
  default     = null
}

variable "destination_permissions_boundary_arn" {
  description = "Policy of the destination account that bounds the role there."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "Key of the source account for logs, queue, topic and environment variables."
  type        = string
  default     = null
}

variable "vpc" {
  description = <<-EOT
    Where in the source account the functions run; left out, in Lambda's own network.

    * `subnet_ids`: private subnets.
    * `security_group_ids`: groups that let HTTPS out.
  EOT
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}
