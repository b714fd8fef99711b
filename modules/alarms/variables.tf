variable "name" {
  description = "What the alarms' names begin with."
  type        = string
  nullable    = false
}

variable "copy_name" {
  description = "Value of the dimension `Copy` of the metrics control publishes."
  type        = string
  nullable    = false
}

variable "failure_queue_name" {
  description = "Name of the replicator's failure queue."
  type        = string
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

variable "tags" {
  description = "Tags of the alarms."
  type        = map(string)
  nullable    = false
  default     = {}
}
