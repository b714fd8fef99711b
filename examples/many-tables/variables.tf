variable "tables" {
  description = <<-EOT
    Tables to copy, by name.

    * `destination_name`: name of the destination table. By default the same name.
    * `segments`: number of segments of the backfill.
    * `deletion_protection`: whether the destination table is protected from deletion.
    * `enabled`: whether the copy exists. `false` removes everything except the destination table.
  EOT
  type = map(object({
    destination_name    = optional(string)
    segments            = optional(number, 16)
    deletion_protection = optional(bool, true)
    enabled             = optional(bool, true)
  }))
}

variable "source_region" {
  description = "Region of the tables."
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
