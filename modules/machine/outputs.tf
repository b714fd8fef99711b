output "arn" {
  description = "ARN of the state machine."
  value       = aws_sfn_state_machine.this.arn
}

output "executions" {
  description = "Prefix of the ARNs of its executions."
  value       = local.executions
}
