variable "new_table_name" {
  description = "Table that the writers use now: the destination of the first copy."
  type        = string
}

variable "new_region" {
  description = "Region of the new table."
  type        = string
  default     = "eu-central-1"
}

variable "new_profile" {
  description = "AWS profile of the new account."
  type        = string
}

variable "old_table_name" {
  description = "Table that the writers used before: the source of the first copy."
  type        = string
}

variable "old_region" {
  description = "Region of the old table. By default the new table's region."
  type        = string
  default     = null
}

variable "old_profile" {
  description = "AWS profile of the old account."
  type        = string
}
