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
  description = "Existing table to copy into."
  type        = string
}

variable "destination_region" {
  description = "Region of the existing table; left out, the region of the source table."
  type        = string
  default     = null
}

variable "destination_profile" {
  description = "AWS profile of the destination account."
  type        = string
}

variable "allow_items" {
  description = "Whether to start although the existing table holds items."
  type        = bool
  default     = false
}
