variable "names" {
  description = "Names of the copy, of the parts to watch and of what is created here."
  type = object({
    copy          = string
    dashboard     = string
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
  description = "Whether there are a verifier and a tracker to show."
  type        = bool
  nullable    = false
  default     = false
}

variable "source_table" {
  description = "Source table and its location. The dashboard shows metrics of its region."
  type        = object({ table_name = string, account_id = string, region = string, partition = string })
  nullable    = false
}

variable "destination_table" {
  description = "Destination table and its location."
  type        = object({ table_name = string, account_id = string, region = string })
  nullable    = false
}

variable "status_command" {
  description = "Command that shows the run."
  type        = string
  nullable    = false
}

variable "alarm_arns" {
  description = "ARNs of the alarms to show."
  type        = list(string)
  nullable    = false
  default     = []
}

variable "unapplied_change_age_seconds" {
  description = "Age of the oldest unapplied change above which it is too old."
  type        = number
  nullable    = false
}
