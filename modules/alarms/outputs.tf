output "arns" {
  description = "ARNs of the alarms."
  value       = local.alarm_arns
}

output "topic_arn" {
  description = "ARN of the created topic. Null if there is none."
  value       = one(aws_sns_topic.this[*].arn)
}
