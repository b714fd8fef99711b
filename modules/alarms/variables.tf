variable "name" {
  description = "What the alarms' names begin with."
  type        = string
  nullable    = false
}

variable "copy_name" {
  description = "Value of the dimension `Copy` of the metrics the functions publish."
  type        = string
  nullable    = false
}

variable "place" {
  description = "Partition, account and region of the alarms."
  type        = object({ partition = string, account_id = string, region = string })
  nullable    = false
}

variable "failure_queue_name" {
  description = "Name of the replicator's failure queue."
  type        = string
  nullable    = false
}

variable "state_machine_name" {
  description = "Name of the backfill's state machine."
  type        = string
  nullable    = false
}

variable "function_names" {
  description = "Names of the functions, by what they do."
  type        = object({ replicator = string, backfill = string, reconciler = string, control = string })
  nullable    = false
}

variable "unapplied_change_age_seconds" {
  description = "Age of the oldest unapplied change that sets the alarm off."
  type        = number
  nullable    = false
}

variable "topic_arns" {
  description = "SNS topics to tell."
  type        = list(string)
  nullable    = false
  default     = []
}

variable "create_topic" {
  description = "Whether to create a topic that is told, too."
  type        = bool
  nullable    = false
  default     = false
}

variable "topic_name" {
  description = "Name of the topic to create."
  type        = string
  nullable    = false
}

variable "email_addresses" {
  description = "Addresses to subscribe to the created topic."
  type        = list(string)
  nullable    = false
  default     = []
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts the created topic; null for none. Its policy has to let cloudwatch.amazonaws.com call kms:Decrypt and kms:GenerateDataKey."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the alarms and the topic."
  type        = map(string)
  nullable    = false
  default     = {}
}
