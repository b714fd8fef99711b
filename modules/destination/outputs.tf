output "table_arn" {
  description = "ARN of the destination table; null for an existing one while the copy is disabled."
  value       = one(concat(aws_dynamodb_table.this[*].arn, data.aws_dynamodb_table.existing[*].arn))
}

output "role_arn" {
  description = "ARN of the role the functions assume; null while the copy is disabled."
  value       = one(aws_iam_role.this[*].arn)
}
