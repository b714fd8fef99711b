variable "name" {
  description = "Name of the role."
  type        = string
  nullable    = false
}

variable "role" {
  description = "Path and permissions boundary of the role, external ID that it requires, and account of the verifier."
  type = object({
    path                     = string
    permissions_boundary_arn = optional(string)
    external_id              = string
    trusted_account_id       = string
  })
  nullable = false
}

variable "trusted_role_arn" {
  description = "ARN of the verifier's role, which may assume this one."
  type        = string
  nullable    = false
}

variable "table_name" {
  description = "Name of the table."
  type        = string
  nullable    = false
}

variable "table_arn" {
  description = "ARN of the table."
  type        = string
  nullable    = false
}

variable "key_policy_json" {
  description = "Statements that open the table under its key. Without any if AWS owns the key."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of the role."
  type        = map(string)
  nullable    = false
  default     = {}
}
