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

variable "trusted_role_arns" {
  description = "ARNs of the roles that may assume this one: the verifier's, and the tracker's if there is one."
  type        = list(string)
  nullable    = false
}

variable "follows_stream" {
  description = "Whether the role may read the table's stream."
  type        = bool
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
