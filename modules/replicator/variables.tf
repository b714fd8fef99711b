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
  description = "Environment variables that the functions share. Apart from `function`, because the destination role, which they name, trusts the function's role."
  type        = map(string)
  nullable    = false
}

variable "names" {
  description = "Names of the function and the failure queue."
  type        = object({ replicator = string, failure_queue = string })
  nullable    = false
}

variable "settings" {
  description = "Batch, timeout, memory and reserved concurrency. See the variable `replicator` of modules/copy."
  type = object({
    batch_size              = number
    batching_window_seconds = number
    timeout_seconds         = number
    memory_mb               = number
    reserved_concurrency    = optional(number)
  })
  nullable = false
}

variable "stream_arn" {
  description = "ARN of the source table's stream."
  type        = string
  nullable    = false
}

variable "journal" {
  description = "ARN of the journal table, and its generation. Another journal needs another event source mapping."
  type        = object({ arn = string, generation = string })
  nullable    = false
}

variable "destination_role_arn" {
  description = "ARN of the role in the destination account that the functions assume."
  type        = string
  nullable    = false
}
