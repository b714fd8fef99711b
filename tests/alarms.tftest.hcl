# What wakes somebody up, and what silence means to each alarm.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "offline"
  secret_key                  = "offline"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

run "alarms" {
  command = plan

  module {
    source = "./modules/alarms"
  }

  variables {
    name                         = "tablecopy-orders-0123abcd"
    copy_name                    = "tablecopy-orders-0123abcd"
    failure_queue_name           = "failures"
    unapplied_change_age_seconds = 21600
    topic_arns                   = ["arn:aws:sns:eu-central-1:111111111111:oncall"]
  }

  assert {
    condition = jsonencode({
      for alarm in [
        aws_cloudwatch_metric_alarm.unapplied_change_age,
        aws_cloudwatch_metric_alarm.dead_letters,
        aws_cloudwatch_metric_alarm.failed_batches,
        ] : trimprefix(alarm.alarm_name, "tablecopy-orders-0123abcd-") => [
        alarm.namespace, alarm.metric_name, alarm.dimensions, alarm.threshold, alarm.treat_missing_data
      ]
      }) == jsonencode({
      unapplied-change-age = ["DynamoDBAccountCopy", "OldestUnappliedChangeAge", { Copy = "tablecopy-orders-0123abcd" }, 21600, "breaching"]
      dead-letters         = ["DynamoDBAccountCopy", "DeadLetters", { Copy = "tablecopy-orders-0123abcd" }, 0, "ignore"]
      failed-batches       = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", { QueueName = "failures" }, 0, "notBreaching"]
    })
    error_message = "An alarm looks at something else."
  }

  assert {
    condition = alltrue([
      for alarm in [
        aws_cloudwatch_metric_alarm.unapplied_change_age,
        aws_cloudwatch_metric_alarm.dead_letters,
        aws_cloudwatch_metric_alarm.failed_batches,
        ] : (
        alarm.statistic == "Maximum"
        && alarm.comparison_operator == "GreaterThanThreshold"
        && alarm.alarm_actions == toset(["arn:aws:sns:eu-central-1:111111111111:oncall"])
        && alarm.ok_actions == toset(["arn:aws:sns:eu-central-1:111111111111:oncall"])
      )
    ])
    error_message = "Every alarm tells the topics when the highest value is above its threshold."
  }
}
