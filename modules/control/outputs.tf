output "control_function" {
  description = "Name and ARN of the function that answers the commands."
  value       = { name = module.control.name, arn = module.control.arn }
}

output "reconciler_function" {
  description = "Name and ARN of the reconciler's function."
  value       = { name = module.reconciler.name, arn = module.reconciler.arn }

  # Resources that wait for the reconciler also wait for its invocation settings.
  depends_on = [aws_lambda_function_event_invoke_config.reconciler]
}

output "role_arns" {
  description = "ARNs of the roles of both functions."
  value       = { control = module.control.role_arn, reconciler = module.reconciler.role_arn }
}
