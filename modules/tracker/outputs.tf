output "function" {
  description = "Name and ARN of the function."
  value       = { name = module.function.name, arn = module.function.arn }
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = module.function.role_arn
}
