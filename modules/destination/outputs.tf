output "table_arn" {
  description = "ARN of the destination table; null for an existing one while the copy is disabled."
  value       = local.table_arn
}

output "role_arn" {
  description = "ARN of the role the functions assume; null while the copy is disabled."
  value       = one(aws_iam_role.this[*].arn)
}
