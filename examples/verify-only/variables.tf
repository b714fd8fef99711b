variable "table_name" {
  description = "Table that is right."
  type        = string
}

variable "source_region" {
  description = "Region of this table."
  type        = string
  default     = "eu-central-1"
}

variable "source_profile" {
  description = "AWS profile of its account, in which the comparison runs."
  type        = string
}

variable "destination_table_name" {
  description = "Table to compare with it. By default a table of the same name."
  type        = string
  default     = null
}

variable "destination_region" {
  description = "Region of the other table."
  type        = string
  default     = "eu-central-1"
}

variable "destination_profile" {
  description = "AWS profile of the other table's account."
  type        = string
}

variable "segments" {
  description = "Segments to read the tables in, all at the same time. One for each 20 GB, and at least 16."
  type        = number
  default     = 16
}
