output "tables" {
  description = "Both tables and how to reach them, for `verify --from-terraform`: name, region, profile, role and external id of `source` and `destination`. `destination.writer_role_arn` is the role with which the copy writes, for `tablecopy cutover --fence`."
  value = {
    for side, at in local.sides : side => merge({
      table_name  = at.name
      region      = at.region
      profile     = at.profile
      role_arn    = at.role_arn
      external_id = at.external_id
    }, side == "source" ? {} : { writer_role_arn = module.destination.role_arn })
  }
}

output "commands" {
  description = "Commands to paste. `start`, `status`, `watch` and `seal` control the run, `dead_letters` lists its dead letters, `redrive` tries them again, and `verify` compares the tables. `cutover` lists the commands of the cutover in order, with `tablecopy cutover` if `verification.enabled` is set. `seal` asks for confirmation: add `--yes` if there is no terminal. `time_to_live`, `warm_throughput` and `auto_scaling` do what Terraform cannot: turn on TTL at the cutover, warm the destination table, and show the source table's auto scaling. A command is null if there is nothing to do, or while the copy is disabled."
  value       = local.commands
}

output "settings" {
  description = "Settings of the copy, from which `preflight` and `estimate` calculate with `--from-terraform`: `backfill`, `replicator`, `control`, `verification` and `destination_table`."
  value = {
    backfill          = var.backfill
    replicator        = var.replicator
    control           = var.control
    verification      = var.verification
    destination_table = { allow_items = var.destination_table.allow_items }
  }
}

output "destination_table_arn" {
  description = "ARN of the destination table."
  value       = module.destination.table_arn
}

output "destination_role_arn" {
  description = "ARN of the role in the destination account that the functions assume."
  value       = module.destination.role_arn
}

output "journal_table_name" {
  description = "Name of the journal table in the source account."
  value       = one(module.journal[*].name)
}

output "journal_table_arn" {
  description = "ARN of the journal table."
  value       = one(module.journal[*].arn)
}

output "replicator_function_name" {
  description = "Name of the function that applies stream records."
  value       = one(module.replicator[*].function.name)
}

output "replicator_function_arn" {
  description = "ARN of the function that applies stream records."
  value       = one(module.replicator[*].function.arn)
}

output "event_source_mapping_uuid" {
  description = "UUID of the event source mapping between the source table's stream and the replicator."
  value       = one(module.replicator[*].event_source_mapping.uuid)
}

output "failure_queue_url" {
  description = "URL of the queue that receives the batches that the replicator could not apply."
  value       = one(module.replicator[*].failure_queue.url)
}

output "failure_queue_arn" {
  description = "ARN of the failure queue."
  value       = one(module.replicator[*].failure_queue.arn)
}

output "backfill_function_name" {
  description = "Name of the function that scans a segment."
  value       = one(module.backfill[*].function.name)
}

output "backfill_function_arn" {
  description = "ARN of the function that scans a segment."
  value       = one(module.backfill[*].function.arn)
}

output "state_machine_arn" {
  description = "ARN of the state machine that runs a slice of the backfill."
  value       = one(module.backfill[*].state_machine.arn)
}

output "control_function_name" {
  description = "Name of the function that answers the commands (`--control-function`)."
  value       = one(module.control[*].control_function.name)
}

output "control_function_arn" {
  description = "ARN of the function that answers the commands."
  value       = one(module.control[*].control_function.arn)
}

output "reconciler_function_name" {
  description = "Name of the function that moves the run from phase to phase."
  value       = one(module.control[*].reconciler_function.name)
}

output "reconciler_function_arn" {
  description = "ARN of the function that moves the run from phase to phase."
  value       = one(module.control[*].reconciler_function.arn)
}

output "verifier_function_name" {
  description = "Name of the function that compares a segment. Null without `verification.enabled`."
  value       = one(module.verification[*].function.name)
}

output "verifier_function_arn" {
  description = "ARN of the function that compares a segment. Null without `verification.enabled`."
  value       = one(module.verification[*].function.arn)
}

output "tracker_function_name" {
  description = "Name of the function that compares what is written. Null without `verification.enabled`."
  value       = one(module.tracker[*].function.name)
}

output "tracker_function_arn" {
  description = "ARN of the function that compares what is written. Null without `verification.enabled`."
  value       = one(module.tracker[*].function.arn)
}

output "verification_state_machine_arn" {
  description = "ARN of the state machine that runs a verification. Null without `verification.enabled`."
  value       = one(module.verification[*].state_machine.arn)
}

output "reading_role_arn" {
  description = "ARN of the role in the destination account with which the verifier and the tracker read the destination table. Null without `verification.enabled`."
  value       = module.destination.reading_role_arn
}

output "function_role_arns" {
  description = "ARNs of the functions' roles, for the key policy of a customer-managed key: `replicator`, `backfill`, `reconciler` and `control`, and `verifier` and `tracker` with `verification.enabled`."
  value = merge({
    replicator = one(module.replicator[*].role_arn)
    backfill   = one(module.backfill[*].role_arn)
    reconciler = one(module.control[*].role_arns.reconciler)
    control    = one(module.control[*].role_arns.control)
  }, { for arn in module.verification[*].role_arn : "verifier" => arn }, { for arn in module.tracker[*].role_arn : "tracker" => arn })
}

output "alarm_arns" {
  description = "ARNs of the alarms. Empty if there are none."
  value       = try(module.alarms[0].arns, [])
}

output "alarm_topic_arn" {
  description = "ARN of the SNS topic created for the alarms. Null if there is none."
  value       = one(module.alarms[*].topic_arn)
}

output "dashboard_name" {
  description = "Name of the dashboard. Null if there is none."
  value       = one(module.dashboard[*].name)
}
