# `verify` and `tablecopy` with --from-terraform read these.

output "tables" {
  description = "Both tables and how to reach them."
  value       = module.copy.tables
}

output "control_function_name" {
  description = "Function that `tablecopy` talks to."
  value       = module.copy.control_function_name
}

output "commands" {
  description = "Commands ready to paste."
  value       = module.copy.commands
}

output "roles_for_the_source_key" {
  description = "Roles a policy of the source's key must allow kms:Decrypt through DynamoDB, if it names its users."
  value       = values(module.copy.function_role_arns)
}

output "role_for_the_destination_key" {
  description = "Role a policy of the destination's key must allow the same."
  value       = module.copy.destination_role_arn
}
