# `tablecopy` and `verify` read these outputs (`--from-terraform`).

output "tables" {
  description = "Both tables and how to reach them."
  value       = module.copy.tables
}

output "control_function_name" {
  description = "Name of the function that answers `tablecopy`."
  value       = module.copy.control_function_name
}

output "commands" {
  description = "Commands to paste."
  value       = module.copy.commands
}

output "roles_for_the_source_key" {
  description = "Roles that the key policy of the source table must allow to call kms:Decrypt through DynamoDB, if it names its users."
  value       = values(module.copy.function_role_arns)
}

output "roles_for_the_destination_key" {
  description = "Roles that the key policy of the destination table must allow to do the same, if it names its users. The second one exists with `verification.enabled`."
  value       = compact([module.copy.destination_role_arn, module.copy.reading_role_arn])
}
