output "function_name" {
  description = "Name of the function that answers operators."
  value       = module.control.name
}

output "function_arn" {
  description = "ARN of the function that answers operators."
  value       = module.control.arn
}

output "role_arn" {
  description = "ARN of the role of the function that answers operators."
  value       = module.control.role_arn
}

output "reconciler_function_name" {
  description = "Name of the reconciler's function."
  value       = module.reconciler.name
}

output "reconciler_function_arn" {
  description = "ARN of the reconciler's function."
  value       = module.reconciler.arn

  # Whoever waits for the reconciler waits for how it is invoked, too.
  depends_on = [aws_lambda_function_event_invoke_config.reconciler]
}

output "reconciler_role_arn" {
  description = "ARN of the reconciler's role."
  value       = module.reconciler.role_arn
}
