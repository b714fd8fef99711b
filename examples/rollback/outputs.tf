# `verify` and `tablecopy` with --from-terraform read these.

output "tables" {
  description = "Both tables and how to reach them."
  value       = module.rollback.tables
}

output "control_function_name" {
  description = "Function that `tablecopy` talks to."
  value       = module.rollback.control_function_name
}

output "commands" {
  description = "Commands ready to paste."
  value       = module.rollback.commands
}
