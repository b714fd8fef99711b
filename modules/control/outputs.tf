output "function_name" {
  description = "Name of the function."
  value       = module.function.name
}

output "function_arn" {
  description = "ARN of the function."
  value       = module.function.arn
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = module.function.role_arn
}
