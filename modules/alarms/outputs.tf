output "arns" {
  description = "ARNs of the alarms."
  value = [
    aws_cloudwatch_metric_alarm.unapplied_change_age.arn,
    aws_cloudwatch_metric_alarm.dead_letters.arn,
    aws_cloudwatch_metric_alarm.failed_batches.arn,
  ]
}
