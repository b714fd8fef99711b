output "tables" {
  description = "Both tables and how to reach them, for `verify --from-terraform`: name, region, profile, role and external id of `source` and `destination`. `destination.writer_role_arn` is the role with which the copy writes, for `tablecopy cutover --fence`."
  value       = module.copy.tables
}

output "commands" {
  description = "Commands to paste. `start`, `status`, `watch` and `seal` control the run, `dead_letters` lists its dead letters, `redrive` tries them again, and `verify` compares the tables. `cutover` lists the commands of the cutover in order, with `tablecopy cutover` if `verification.enabled` is set. `seal` asks for confirmation: add `--yes` if there is no terminal. `time_to_live`, `warm_throughput` and `auto_scaling` do what Terraform cannot: turn on TTL at the cutover, warm the destination table, and show the source table's auto scaling. A command is null if there is nothing to do, or while the copy is disabled."
  value       = module.copy.commands
}

output "settings" {
  description = "Settings of the copy, from which `preflight` and `estimate` calculate with `--from-terraform`: `backfill`, `replicator`, `control`, `verification` and `destination_table`."
  value       = module.copy.settings
}

output "destination_table_arn" {
  description = "ARN of the destination table."
  value       = module.copy.destination_table_arn
}

output "destination_role_arn" {
  description = "ARN of the role in the destination account that the functions assume."
  value       = module.copy.destination_role_arn
}

output "journal_table_name" {
  description = "Name of the journal table in the source account."
  value       = module.copy.journal_table_name
}

output "journal_table_arn" {
  description = "ARN of the journal table."
  value       = module.copy.journal_table_arn
}

output "replicator_function_name" {
  description = "Name of the function that applies stream records."
  value       = module.copy.replicator_function_name
}

output "replicator_function_arn" {
  description = "ARN of the function that applies stream records."
  value       = module.copy.replicator_function_arn
}

output "event_source_mapping_uuid" {
  description = "UUID of the event source mapping between the source table's stream and the replicator."
  value       = module.copy.event_source_mapping_uuid
}

output "failure_queue_url" {
  description = "URL of the queue that receives the batches that the replicator could not apply."
  value       = module.copy.failure_queue_url
}

output "failure_queue_arn" {
  description = "ARN of the failure queue."
  value       = module.copy.failure_queue_arn
}

output "backfill_function_name" {
  description = "Name of the function that scans a segment."
  value       = module.copy.backfill_function_name
}

output "backfill_function_arn" {
  description = "ARN of the function that scans a segment."
  value       = module.copy.backfill_function_arn
}

output "state_machine_arn" {
  description = "ARN of the state machine that runs a slice of the backfill."
  value       = module.copy.state_machine_arn
}

output "control_function_name" {
  description = "Name of the function that answers the commands (`--control-function`)."
  value       = module.copy.control_function_name
}

output "control_function_arn" {
  description = "ARN of the function that answers the commands."
  value       = module.copy.control_function_arn
}

output "reconciler_function_name" {
  description = "Name of the function that moves the run from phase to phase."
  value       = module.copy.reconciler_function_name
}

output "reconciler_function_arn" {
  description = "ARN of the function that moves the run from phase to phase."
  value       = module.copy.reconciler_function_arn
}

output "verifier_function_name" {
  description = "Name of the function that compares a segment. Null without `verification.enabled`."
  value       = module.copy.verifier_function_name
}

output "verifier_function_arn" {
  description = "ARN of the function that compares a segment. Null without `verification.enabled`."
  value       = module.copy.verifier_function_arn
}

output "tracker_function_name" {
  description = "Name of the function that compares what is written. Null without `verification.enabled`."
  value       = module.copy.tracker_function_name
}

output "tracker_function_arn" {
  description = "ARN of the function that compares what is written. Null without `verification.enabled`."
  value       = module.copy.tracker_function_arn
}

output "verification_state_machine_arn" {
  description = "ARN of the state machine that runs a verification. Null without `verification.enabled`."
  value       = module.copy.verification_state_machine_arn
}

output "reading_role_arn" {
  description = "ARN of the role in the destination account with which the verifier and the tracker read the destination table. Null without `verification.enabled`."
  value       = module.copy.reading_role_arn
}

output "function_role_arns" {
  description = "ARNs of the functions' roles, for the key policy of a customer-managed key: `replicator`, `backfill`, `reconciler` and `control`, and `verifier` and `tracker` with `verification.enabled`."
  value       = module.copy.function_role_arns
}

output "alarm_arns" {
  description = "ARNs of the alarms. Empty if there are none."
  value       = module.copy.alarm_arns
}

output "alarm_topic_arn" {
  description = "ARN of the SNS topic created for the alarms. Null if there is none."
  value       = module.copy.alarm_topic_arn
}

output "dashboard_name" {
  description = "Name of the dashboard. Null if there is none."
  value       = module.copy.dashboard_name
}
