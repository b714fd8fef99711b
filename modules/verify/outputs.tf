locals {
  sides = {
    source      = merge(var.source_table, { region = local.source.region })
    destination = merge(var.destination_table, { name = local.destination_name, region = local.destination.region })
  }
}

output "tables" {
  description = "Both tables and how to reach them, for `verify --from-terraform`: name, region, profile, role and external id of `source` and `destination`."
  value = {
    for side, at in local.sides : side => {
      table_name  = at.name
      region      = at.region
      profile     = at.profile
      role_arn    = at.role_arn
      external_id = at.external_id
    }
  }
}

output "control_function_name" {
  description = "Name of the function that `verify --in-account` asks (`--control-function`)."
  value       = module.control.name
}

output "control_function_arn" {
  description = "ARN of the function that `verify --in-account` asks."
  value       = module.control.arn
}

output "verifier_function_name" {
  description = "Name of the function that compares a segment."
  value       = module.verification.function.name
}

output "state_machine_arn" {
  description = "ARN of the state machine that runs a verification."
  value       = module.verification.state_machine.arn
}

output "journal_table_name" {
  description = "Name of the journal table in the source account."
  value       = module.journal.name
}

output "reading_role_arn" {
  description = "ARN of the role in the destination account with which the verifier reads the destination table."
  value       = module.reader.role_arn
}

output "function_role_arns" {
  description = "ARNs of the functions' roles, for the key policy of a customer-managed key: `control` and `verifier`."
  value       = { control = module.control.role_arn, verifier = module.verification.role_arn }
}
