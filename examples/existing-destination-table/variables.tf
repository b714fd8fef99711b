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
  description = "Region of the existing table. By default the source table's region."
  type        = string
  default     = null
}

variable "destination_profile" {
  description = "AWS profile of the destination account."
  type        = string
}

variable "allow_items" {
  description = "Whether `tablecopy start` may start the run although the existing table holds items."
  type        = bool
  default     = false
}
