variable "enabled" {
  description = "Whether the role exists. The table stays if it is false."
  type        = bool
  nullable    = false
}

variable "table_name" {
  description = "Name of the table."
  type        = string
  nullable    = false
}

variable "create" {
  description = "Whether to create the table. If false, it must exist."
  type        = bool
  nullable    = false
}

variable "definition" {
  description = "Definition of a created table. See modules/copy/definition.tf. An empty string, an empty list and a null block stand for none."
  type = object({
    hash_key       = string
    range_key      = optional(string, "")
    attributes     = map(string)
    billing_mode   = optional(string, "PAY_PER_REQUEST")
    read_capacity  = optional(number, 0)
    write_capacity = optional(number, 0)
    on_demand_throughput = optional(object({
      max_read_request_units  = optional(number, -1)
      max_write_request_units = optional(number, -1)
    }))
    table_class = optional(string, "STANDARD")
    point_in_time_recovery = optional(object({
      enabled                 = bool
      recovery_period_in_days = optional(number)
    }))
    encryption = optional(object({
      type        = string
      kms_key_arn = optional(string)
    }), { type = "AWS_OWNED" })
    deletion_protection = optional(bool, true)
    stream_view_type    = optional(string, "NONE")
    tags                = optional(map(string), {})
    global_secondary_indexes = optional(map(object({
      hash_key           = string
      range_key          = optional(string, "")
      projection_type    = optional(string, "ALL")
      non_key_attributes = optional(list(string), [])
      read_capacity      = optional(number, 0)
      write_capacity     = optional(number, 0)
      on_demand_throughput = optional(object({
        max_read_request_units  = optional(number, -1)
        max_write_request_units = optional(number, -1)
      }))
    })), {})
    local_secondary_indexes = optional(map(object({
      range_key          = string
      projection_type    = optional(string, "ALL")
      non_key_attributes = optional(list(string), [])
    })), {})
  })
  nullable = false
}

variable "location" {
  description = "Partition, account and region of the table."
  type        = object({ partition = string, account_id = string, region = string })
  nullable    = false
}

variable "copy" {
  description = "Identity of the copy's resources. A created table is created after them and destroyed before them."
  type        = string
  nullable    = false
}

variable "role" {
  description = "Role that the functions assume: its name, path and permissions boundary, and the account and external id that it requires of them."
  type = object({
    name                     = string
    path                     = string
    permissions_boundary_arn = optional(string)
    external_id              = string
    trusted_account_id       = string
  })
  nullable = false
}

variable "trusted_role_arns" {
  description = "ARNs of the functions' roles."
  type        = list(string)
  nullable    = false
}

variable "reader" {
  description = "Role that only reads: its name, and the ARNs of the roles of the verifier and the tracker, which may assume it. Null for none."
  type        = object({ name = string, trusted_role_arns = list(string) })
  default     = null
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  nullable    = false
  default     = {}
}
