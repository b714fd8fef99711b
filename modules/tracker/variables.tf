variable "function" {
  description = "Settings that the functions share, and that modules/function takes."
  type = object({
    location           = object({ partition = string, account_id = string, region = string })
    table_key_arns     = list(string)
    kms_key_arn        = optional(string)
    role               = object({ path = string, permissions_boundary_arn = optional(string) })
    vpc                = optional(object({ subnet_ids = list(string), security_group_ids = list(string) }))
    architecture       = string
    log_retention_days = number
    tags               = optional(map(string), {})
  })
  nullable = false
}

variable "environment" {
  description = "Environment variables that the functions share."
  type        = map(string)
  nullable    = false
}

variable "names" {
  description = "Names of the function and the schedule, and of their roles."
  type        = object({ tracker = string, tracking = string })
  nullable    = false
}

variable "settings" {
  description = "Budgets, memory, and the endpoint of DynamoDB Streams. See the variables `verification` and `vpc` of modules/copy."
  type = object({
    read_capacity             = optional(number)
    destination_read_capacity = optional(number)
    memory_mb                 = number
    streams_endpoint_url      = optional(string)
  })
  nullable = false
}

variable "source_table_arn" {
  description = "ARN of the source table."
  type        = string
  nullable    = false
}

variable "journal_arn" {
  description = "ARN of the journal table."
  type        = string
  nullable    = false
}

variable "destination_role_arn" {
  description = "ARN of the role in the destination account that only reads."
  type        = string
  nullable    = false
}
