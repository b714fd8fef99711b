variable "source_table" {
  description = <<-EOT
    Table that is right, and how to reach its account.

    * `name`: name of the table.
    * `profile`, `role_arn`, `external_id`: how the commands reach the account. Terraform itself uses the provider `aws.source`.
  EOT
  type = object({
    name        = string
    profile     = optional(string)
    role_arn    = optional(string)
    external_id = optional(string)
  })
  nullable = false
}

variable "destination_table" {
  description = <<-EOT
    Table to compare with it, and how to reach its account.

    * `name`: name of the table. By default the source table's name.
    * `profile`, `role_arn`, `external_id`: as above, for the provider `aws.destination`.
  EOT
  type = object({
    name        = optional(string)
    profile     = optional(string)
    role_arn    = optional(string)
    external_id = optional(string)
  })
  nullable = false
  default  = {}
}

variable "name" {
  description = "Prefix of the names of all resources."
  type        = string
  nullable    = false
  default     = "tableverify"

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,19}$", var.name))
    error_message = "name is ${jsonencode(var.name)}; allowed are up to 20 of the characters a-z, A-Z, 0-9 and -, the first one from a-z or A-Z. Use for example \"tableverify\"."
  }
}

variable "verification" {
  description = <<-EOT
    How to compare.

    * `segments`, `concurrency`: number of segments of the parallel scans, and how many to compare at the same time, each by a worker.
    * `read_capacity`, `destination_read_capacity`: budgets in read units per second over all workers, of the source and of the destination table. By default the workers adapt to the throughput that the tables allow, and use at most half of a provisioned table's capacity.
    * `timeout_seconds`, `memory_mb`: timeout and memory of the function.
    * `reserved_concurrency`: concurrent executions to reserve for the function. By default it shares the account's unreserved executions.
  EOT
  type = object({
    segments                  = optional(number, 16)
    concurrency               = optional(number, 16)
    read_capacity             = optional(number)
    destination_read_capacity = optional(number)
    timeout_seconds           = optional(number, 900)
    memory_mb                 = optional(number, 1769)
    reserved_concurrency      = optional(number)
  })
  nullable = false
  default  = {}

  validation {
    condition     = alltrue([for setting in ["segments", "concurrency"] : var.verification[setting] == max(1, min(10000, floor(var.verification[setting])))])
    error_message = "verification.segments is ${var.verification.segments} and verification.concurrency is ${var.verification.concurrency}; allowed are whole numbers from 1 to 10000. Use 16, or one segment for each 20 GB of a larger table."
  }

  validation {
    condition     = var.verification.timeout_seconds == max(60, min(900, floor(var.verification.timeout_seconds)))
    error_message = "verification.timeout_seconds is ${var.verification.timeout_seconds}; allowed are whole numbers from 60 to 900. Use 900."
  }

  validation {
    condition     = var.verification.memory_mb == max(256, min(10240, floor(var.verification.memory_mb)))
    error_message = "verification.memory_mb is ${var.verification.memory_mb}; allowed are whole numbers from 256 to 10240. Use 1769, a whole processor."
  }

  # A conditional, because `||` evaluates its right side even if the left one is true.
  validation {
    condition = alltrue([for units in [var.verification.read_capacity, var.verification.destination_read_capacity] :
      units == null ? true : units >= 5 * min(var.verification.concurrency, var.verification.segments) && floor(units) == units
    ])
    error_message = "verification.read_capacity is ${jsonencode(var.verification.read_capacity)} and verification.destination_read_capacity is ${jsonencode(var.verification.destination_read_capacity)}; allowed are whole numbers from ${5 * min(var.verification.concurrency, var.verification.segments)}, which is 5 for each concurrent worker. Raise the budget, lower verification.concurrency, or leave the budget out."
  }
}

variable "roles" {
  description = <<-EOT
    Requirements of your organization for every role in both accounts.

    * `path`: path of the roles.
    * `source_permissions_boundary_arn`, `destination_permissions_boundary_arn`: permissions boundary of the roles in each account.
  EOT
  type = object({
    path                                 = optional(string, "/")
    source_permissions_boundary_arn      = optional(string)
    destination_permissions_boundary_arn = optional(string)
  })
  nullable = false
  default  = {}

  validation {
    condition     = can(regex("^/([!-~]+/)?$", var.roles.path))
    error_message = "roles.path is ${jsonencode(var.roles.path)}; allowed are paths that begin and end with a slash. Use for example \"/platform/\"."
  }
}

variable "kms_key_arn" {
  description = "ARN of a KMS key of your own, in the source region, that encrypts the functions' logs and environment variables, and the journal if the source table has no customer-managed key. By default AWS's own keys encrypt them."
  type        = string
  default     = null
}

variable "vpc" {
  description = <<-EOT
    VPC of the source account that the functions run in. By default they run in Lambda's own network. The functions must reach DynamoDB and STS in both regions, and Step Functions in the source region.

    * `subnet_ids`: its subnets.
    * `security_group_ids`: security groups of the functions.
  EOT
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "architecture" {
  description = "Architecture of the functions: `arm64` or `x86_64`."
  type        = string
  nullable    = false
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is ${jsonencode(var.architecture)}; allowed are \"arm64\" and \"x86_64\". Use \"x86_64\" only in regions without arm64."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the functions' logs."
  type        = number
  nullable    = false
  default     = 90
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  nullable    = false
  default     = {}
}
