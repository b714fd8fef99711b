output "function" {
  description = "Name and ARN of the function."
  value       = { name = module.function.name, arn = module.function.arn }
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = module.function.role_arn
}

output "state_machine" {
  description = "ARN of the state machine, and the prefix of its executions' ARNs."
  value       = { arn = module.state_machine.arn, executions = module.state_machine.executions }
}
