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

variable "name" {
  description = "Name of the state machine and its role."
  type        = string
  nullable    = false
}

variable "description" {
  description = "What the machine does, for its role."
  type        = string
  nullable    = false
}

variable "function_arn" {
  description = "ARN of the function that the machine invokes, known at plan."
  type        = string
  nullable    = false
}

variable "invoked_arn" {
  description = "The same ARN, from the function itself. The machine waits for it."
  type        = string
  nullable    = false
}

variable "definition" {
  description = "Definition in Amazon States Language, as JSON. It must be known at plan."
  type        = string
  nullable    = false
}
