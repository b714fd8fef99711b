resource "aws_cloudwatch_metric_alarm" "unapplied_change_age" {
  alarm_name          = "${var.name}-unapplied-change-age"
  alarm_description   = "A change of the source waits too long, or control is silent. A stream keeps a change for 24 hours; then it is lost."
  namespace           = "DynamoDBAccountCopy"
  metric_name         = "OldestUnappliedChangeAge"
  dimensions          = { Copy = var.copy_name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.unapplied_change_age_seconds

  # Control publishes the age in every phase, every minute. No data means that nobody looks after the run.
  treat_missing_data = "breaching"

  alarm_actions = var.topic_arns
  ok_actions    = var.topic_arns
  tags          = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "The destination refuses an item for good. The run is not ready before it is settled: `tablecopy letters` shows it and why, `tablecopy redrive` tries again."
  namespace           = "DynamoDBAccountCopy"
  metric_name         = "DeadLetters"
  dimensions          = { Copy = var.copy_name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0

  # A letter stays until it is settled, whether control tells of it or not. That control is silent, the age above tells.
  treat_missing_data = "ignore"

  alarm_actions = var.topic_arns
  ok_actions    = var.topic_arns
  tags          = var.tags
}

resource "aws_cloudwatch_metric_alarm" "failed_batches" {
  alarm_name          = "${var.name}-failed-batches"
  alarm_description   = "The event source mapping has given up a batch: its changes did not reach the destination."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = var.failure_queue_name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0

  # A queue nobody has sent to publishes nothing.
  treat_missing_data = "notBreaching"

  alarm_actions = var.topic_arns
  ok_actions    = var.topic_arns
  tags          = var.tags
}
