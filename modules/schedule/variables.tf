variable "function" {
  description = "Settings that the functions share. A schedule needs fewer than modules/function."
  type = object({
    location = object({ partition = string, account_id = string, region = string })
    role     = object({ path = string, permissions_boundary_arn = optional(string) })
    tags     = optional(map(string), {})
  })
  nullable = false
}

variable "name" {
  description = "Name of the schedule and its role."
  type        = string
  nullable    = false
}

variable "description" {
  description = "What the schedule does, for it and its role."
  type        = string
  nullable    = false
}

variable "function_arn" {
  description = "ARN of the function that the schedule calls, known at plan."
  type        = string
  nullable    = false
}

variable "invoked_arn" {
  description = "The same ARN, from the function itself. The schedule waits for it."
  type        = string
  nullable    = false
}

variable "begins_after" {
  description = "ARN of another resource that must exist before the first call. Null for none."
  type        = string
  default     = null
}
