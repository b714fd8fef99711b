# Stands in for what modules/copy has of its caller and of its record when it makes names.

variable "name" {
  type    = string
  default = "tablecopy"
}

variable "source_table" {
  type    = object({ name = string })
  default = { name = "orders" }
}

variable "source_location" {
  type    = object({ account_id = optional(string, "111111111111"), region = optional(string, "eu-central-1") })
  default = {}
}

variable "destination_location" {
  type    = object({ account_id = optional(string, "222222222222"), region = optional(string, "eu-west-1"), table_name = optional(string, "orders") })
  default = {}
}

locals {
  record = {
    source      = merge(var.source_location, { table_name = var.source_table.name })
    destination = var.destination_location
  }
}

output "copy_name" {
  value = local.copy_name
}
