output "table_arn" {
  description = "ARN of the destination table. Null for an existing table while the copy is disabled."
  value       = one(concat(aws_dynamodb_table.this[*].arn, data.aws_dynamodb_table.existing[*].arn))
}

output "role_arn" {
  description = "ARN of the role that the functions assume. Null while the copy is disabled."
  value       = one(aws_iam_role.this[*].arn)
}

output "reading_role_arn" {
  description = "ARN of the role that only reads. Null if there is none."
  value       = one(module.reader[*].role_arn)
}
