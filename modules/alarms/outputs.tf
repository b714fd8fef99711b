output "arns" {
  description = "ARNs of the alarms."
  value       = local.alarm_arns
}

output "topic_arn" {
  description = "ARN of the topic that was created; null without one."
  value       = one(aws_sns_topic.this[*].arn)
}
