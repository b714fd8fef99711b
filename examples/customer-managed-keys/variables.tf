variable "table_name" {
  description = "Table to copy, encrypted under a customer-managed key. Its stream must be on."
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

variable "destination_region" {
  description = "Region to copy into."
  type        = string
  default     = "eu-central-1"
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
