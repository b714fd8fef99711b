output "name" {
  description = "Name of the journal table."
  value       = aws_dynamodb_table.this.name
}

output "arn" {
  description = "ARN of the journal table."
  value       = aws_dynamodb_table.this.arn
}
