variable "name" {
  description = "Name of the dashboard."
  type        = string
  nullable    = false
}

variable "copy_name" {
  description = "Value of the dimension `Copy` of the metrics the functions publish."
  type        = string
  nullable    = false
}

variable "source_table" {
  description = "The source table and where it is. The dashboard shows metrics of its region."
  type        = object({ table_name = string, account_id = string, region = string, partition = string })
  nullable    = false
}

variable "destination_table" {
  description = "The destination table and where it is."
  type        = object({ table_name = string, account_id = string, region = string })
  nullable    = false
}

variable "status_command" {
  description = "Command that shows the run."
  type        = string
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

variable "alarm_arns" {
  description = "ARNs of the alarms to show; empty without alarms."
  type        = list(string)
  nullable    = false
  default     = []
}

variable "unapplied_change_age_seconds" {
  description = "Age of the oldest unapplied change from which on it is too old."
  type        = number
  nullable    = false
}
