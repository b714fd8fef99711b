variable "enabled" {
  description = "Whether the role exists. The table stays in any case."
  type        = bool
  nullable    = false
}

variable "table_name" {
  description = "Name of the table."
  type        = string
  nullable    = false
}

variable "create" {
  description = "Whether the table is created; if not, it exists."
  type        = bool
  nullable    = false
}

variable "definition" {
  description = "The source table's definition. An empty string and an empty list mean that there is none."
  type = object({
    hash_key       = string
    range_key      = string
    attributes     = map(string)
    billing_mode   = string
    read_capacity  = number
    write_capacity = number
    global_secondary_indexes = map(object({
      hash_key           = string
      range_key          = string
      projection_type    = string
      non_key_attributes = list(string)
      read_capacity      = number
      write_capacity     = number
    }))
    local_secondary_indexes = map(object({
      range_key          = string
      projection_type    = string
      non_key_attributes = list(string)
    }))
  })
  nullable = false
}

variable "deletion_protection" {
  description = "Whether a created table is protected from deletion."
  type        = bool
  nullable    = false
}

variable "role_name" {
  description = "Name of the role the functions assume."
  type        = string
  nullable    = false
}

variable "trusted_role_arns" {
  description = "ARNs of the functions' roles."
  type        = list(string)
  nullable    = false
}

variable "external_id" {
  description = "External id the functions give when they assume the role."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  nullable    = false
  default     = {}
}
