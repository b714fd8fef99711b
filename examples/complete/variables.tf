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
  description = "Table to copy into. By default the source table's name."
  type        = string
  default     = null
}

variable "destination_region" {
  description = "Region to copy into. By default the source table's region."
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
  description = "Whether the copy exists. `false` removes everything except the destination table."
  type        = bool
  default     = true
}

variable "alarm_email_addresses" {
  description = "Email addresses that the alarms notify, after they are confirmed."
  type        = list(string)
  nullable    = false
  default     = []
}

variable "alarm_topic_arns" {
  description = "SNS topics that the alarms notify."
  type        = list(string)
  default     = []
}

variable "source_permissions_boundary_arn" {
  description = "Permissions boundary of the roles in the source account."
  type        = string
  default     = null
}

variable "destination_permissions_boundary_arn" {
  description = "Permissions boundary of the role in the destination account."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "KMS key of the source account for logs, queue, topic and environment variables."
  type        = string
  default     = null
}

variable "vpc" {
  description = <<-EOT
    VPC of the source account that the functions run in. By default Lambda's own network.

    * `subnet_ids`: private subnets.
    * `security_group_ids`: security groups that allow outbound HTTPS.
  EOT
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}
