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
