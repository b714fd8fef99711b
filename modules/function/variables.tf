variable "function" {
  description = <<-EOT
    The function.

    * `location`: partition, account and region of the function.
    * `table_key_arns`: ARNs of the KMS keys of the tables that the function reads. Empty if AWS owns their keys.
    * `kms_key_arn`: ARN of the key for the log and the environment variables. Null for AWS's own key.
    * `role`: path and permissions boundary of the role.
    * `vpc`: network that the function runs in. Null for Lambda's own network.
    * `architecture`: processor architecture.
    * `log_retention_days`: days the log is kept.
    * `tags`: tags of every resource.
    * `name`: name of the function, its role and its log group.
    * `description`: description of the function and its role.
    * `handler`: Python path of the handler.
    * `timeout_seconds`, `memory_mb`: timeout and memory of an invocation.
    * `reserved_concurrency`: executions reserved for the function, and its maximum. Null for neither.
  EOT
  type = object({
    # Shared by all functions: modules/copy/main.tf sets them.
    location           = object({ partition = string, account_id = string, region = string })
    table_key_arns     = list(string)
    kms_key_arn        = optional(string)
    role               = object({ path = string, permissions_boundary_arn = optional(string) })
    vpc                = optional(object({ subnet_ids = list(string), security_group_ids = list(string) }))
    architecture       = string
    log_retention_days = number
    tags               = optional(map(string), {})

    # Of each function: the modules replicator, backfill and control set them.
    name                 = string
    description          = string
    handler              = string
    timeout_seconds      = number
    memory_mb            = number
    reserved_concurrency = optional(number)
  })
  nullable = false
}

# These two may name what is created after the function's role, and the role must not wait for them.

variable "environment" {
  description = "Environment variables."
  type        = map(string)
  nullable    = false
}

variable "policy_json" {
  description = "Policy of the role, without the statements that every function needs."
  type        = string
  nullable    = false
}
