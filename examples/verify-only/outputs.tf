# `verify` and `tablecopy status` read these outputs (`--from-terraform`).

output "tables" {
  description = "Both tables and how to reach them."
  value       = module.verify.tables
}

output "control_function_name" {
  description = "Name of the function that `verify --in-account` asks."
  value       = module.verify.control_function_name
}
