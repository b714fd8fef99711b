variable "new_table_name" {
  description = "Table the writers move to: the first copy's destination."
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
  description = "Table the writers come from: the first copy's source."
  type        = string
}

variable "old_region" {
  description = "Region of the old table; left out, the region of the new one."
  type        = string
  default     = null
}

variable "old_profile" {
  description = "AWS profile of the old account."
  type        = string
}
