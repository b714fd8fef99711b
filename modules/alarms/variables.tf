variable "names" {
  description = "Names of the copy, of the parts to watch and of what is created here."
  type = object({
    copy          = string
    alarm_topic   = string
    failure_queue = string
    state_machine = string
    replicator    = string
    backfill      = string
    reconciler    = string
    control       = string
    verifier      = string
    tracker       = string
  })
  nullable = false
}

variable "verification" {
  description = "Whether there are a verifier and a tracker to watch."
  type        = bool
  nullable    = false
  default     = false
}

variable "location" {
  description = "Partition, account and region of the alarms."
  type        = object({ partition = string, account_id = string, region = string })
  nullable    = false
}

variable "unapplied_change_age_seconds" {
  description = "Age of the oldest unapplied change above which it is too old."
  type        = number
  nullable    = false
}

variable "settings" {
  description = "Topics to notify, and the topic to create. See the variable `alarms` of modules/copy."
  type = object({
    topic_arns      = optional(list(string), [])
    create_topic    = optional(bool, false)
    email_addresses = optional(list(string), [])
  })
  nullable = false
  default  = {}
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts the created topic. Null for no encryption. Its policy must allow cloudwatch.amazonaws.com to call kms:Decrypt and kms:GenerateDataKey."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the alarms and the topic."
  type        = map(string)
  nullable    = false
  default     = {}
}
