variable "function" {
  description = "Settings of the function: those that all functions share, which modules/copy sets, and its own."
  type = object({
    location = object({ partition = string, account_id = string, region = string })
    # KMS keys of the tables that the function reads. Empty if AWS owns the keys.
    table_key_arns = list(string)
    # Key for the log and the environment variables. Null for AWS's own key.
    kms_key_arn        = optional(string)
    role               = object({ path = string, permissions_boundary_arn = optional(string) })
    vpc                = optional(object({ subnet_ids = list(string), security_group_ids = list(string) }))
    architecture       = string
    log_retention_days = number
    tags               = optional(map(string), {})

    name                 = string
    description          = string
    handler              = string
    timeout_seconds      = number
    memory_mb            = number
    reserved_concurrency = optional(number)
  })
  nullable = false
}

variable "environment" {
  description = "Environment variables. Apart from `function`, because they name the destination role, which trusts the function's role."
  type        = map(string)
  nullable    = false
}

variable "policy_json" {
  description = "Policy of the role, without the statements that every function needs."
  type        = string
  nullable    = false
}
