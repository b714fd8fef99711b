# `tablecopy` and `verify` read this output (`--from-terraform`).

output "copies" {
  description = "The outputs of each copy, by table: `tables`, `control_function_name`, `commands` and more."
  value       = module.copy
}
