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
