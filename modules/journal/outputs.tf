output "name" {
  description = "Name of the journal table."
  value       = aws_dynamodb_table.this.name
}

output "arn" {
  description = "ARN of the journal table."
  value       = aws_dynamodb_table.this.arn
}

output "generation" {
  description = "Identity of this journal. It changes when the table is created again."
  value       = terraform_data.generation.id
}

output "kms_key_arn" {
  description = "ARN of the customer-managed key that the journal was created with. Null if there was none."
  value       = terraform_data.generation.input.kms_key_arn
}
