output "function" {
  description = "Name and ARN of the function."
  value       = { name = module.function.name, arn = module.function.arn }
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = module.function.role_arn
}

output "event_source_mapping" {
  description = "UUID and ARN of the event source mapping."
  value       = { uuid = aws_lambda_event_source_mapping.this.uuid, arn = aws_lambda_event_source_mapping.this.arn }
}

output "failure_queue" {
  description = "URL and ARN of the failure queue."
  value       = { url = aws_sqs_queue.failures.url, arn = aws_sqs_queue.failures.arn }
}
