# Alarms, their reaction to missing data, and the topic's policy.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "offline"
  secret_key                  = "offline"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  names = {
    copy          = "move-orders-0123abcd"
    alarm_topic   = "move-orders-0123abcd-alarms"
    failure_queue = "failures"
    state_machine = "machine"
    replicator    = "r"
    backfill      = "b"
    reconciler    = "k"
    control       = "c"
    verifier      = "v"
    tracker       = "t"
  }
  location                     = { partition = "aws", account_id = "111111111111", region = "eu-central-1" }
  unapplied_change_age_seconds = 21600
  settings                     = { topic_arns = ["arn:aws:sns:eu-central-1:111111111111:oncall"] }
}

run "alarms" {
  command = plan

  module {
    source = "./modules/alarms"
  }

  assert {
    condition = jsonencode({
      for key, alarm in aws_cloudwatch_metric_alarm.this : trimprefix(alarm.alarm_name, "move-orders-0123abcd-") => [
        alarm.namespace, alarm.metric_name, alarm.dimensions, alarm.statistic, alarm.comparison_operator, alarm.threshold,
        "${alarm.datapoints_to_alarm} of ${alarm.evaluation_periods} x ${alarm.period}", alarm.treat_missing_data
      ]
      }) == jsonencode({
      unapplied-change-age = ["DynamoDBAccountCopy", "OldestUnappliedChangeAge", { Copy = "move-orders-0123abcd" }, "Maximum", "GreaterThanThreshold", 21600, "2 of 2 x 300", "ignore"]
      reconciler-silent    = ["DynamoDBAccountCopy", "Reconciliations", { Copy = "move-orders-0123abcd" }, "Sum", "LessThanThreshold", 1, "2 of 2 x 300", "breaching"]
      run-stopped          = ["DynamoDBAccountCopy", "RunStopped", { Copy = "move-orders-0123abcd" }, "Maximum", "GreaterThanThreshold", 0, "1 of 1 x 300", "ignore"]
      dead-letters         = ["DynamoDBAccountCopy", "DeadLetters", { Copy = "move-orders-0123abcd" }, "Maximum", "GreaterThanThreshold", 0, "1 of 1 x 300", "ignore"]
      failed-batches       = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", { QueueName = "failures" }, "Maximum", "GreaterThanThreshold", 0, "1 of 1 x 300", "notBreaching"]
      failed-workers       = ["DynamoDBAccountCopy", "FailedWorkers", { Copy = "move-orders-0123abcd" }, "Maximum", "GreaterThanThreshold", 0, "1 of 1 x 300", "ignore"]
      empty-slices         = ["DynamoDBAccountCopy", "EmptySlices", { Copy = "move-orders-0123abcd" }, "Maximum", "GreaterThanThreshold", 0, "1 of 1 x 300", "ignore"]
      touched-differences  = ["DynamoDBAccountCopy", "TouchedDifferences", { Copy = "move-orders-0123abcd" }, "Maximum", "GreaterThanThreshold", 0, "1 of 1 x 300", "notBreaching"]
      timed-out-execution  = ["AWS/States", "ExecutionsTimedOut", { StateMachineArn = "arn:aws:states:eu-central-1:111111111111:stateMachine:machine" }, "Sum", "GreaterThanThreshold", 0, "1 of 1 x 300", "notBreaching"]
      replicator-errors    = ["AWS/Lambda", "Errors", { FunctionName = "r" }, "Sum", "GreaterThanThreshold", 0, "2 of 3 x 300", "notBreaching"]
      backfill-errors      = ["AWS/Lambda", "Errors", { FunctionName = "b" }, "Sum", "GreaterThanThreshold", 0, "2 of 3 x 300", "notBreaching"]
      reconciler-errors    = ["AWS/Lambda", "Errors", { FunctionName = "k" }, "Sum", "GreaterThanThreshold", 0, "2 of 3 x 300", "notBreaching"]
      control-errors       = ["AWS/Lambda", "Errors", { FunctionName = "c" }, "Sum", "GreaterThanThreshold", 0, "2 of 3 x 300", "notBreaching"]
    })
    error_message = "An alarm looks at something else."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this : (
        alarm.alarm_actions == toset(["arn:aws:sns:eu-central-1:111111111111:oncall"])
        && alarm.ok_actions == toset(["arn:aws:sns:eu-central-1:111111111111:oncall"])
      )
    ])
    error_message = "Every alarm tells the topics when it goes off and when it is over."
  }

  assert {
    condition     = length(aws_sns_topic.this) == 0 && output.topic_arn == null
    error_message = "A topic exists although it was not requested."
  }
}

run "with_verification" {
  command = plan

  module {
    source = "./modules/alarms"
  }

  variables {
    verification = true
  }

  assert {
    condition = jsonencode({
      for key, alarm in aws_cloudwatch_metric_alarm.this : trimprefix(alarm.alarm_name, "move-orders-0123abcd-") => [
        alarm.namespace, alarm.metric_name, alarm.dimensions, alarm.statistic, alarm.comparison_operator, alarm.threshold,
        "${alarm.datapoints_to_alarm} of ${alarm.evaluation_periods} x ${alarm.period}", alarm.treat_missing_data
      ] if startswith(key, "verif") || startswith(key, "differences") || startswith(key, "tracker")
      }) == jsonencode({
      differences-found    = ["DynamoDBAccountCopy", "DifferencesFound", { Copy = "move-orders-0123abcd" }, "Maximum", "GreaterThanThreshold", 0, "1 of 1 x 300", "ignore"]
      tracker-errors       = ["AWS/Lambda", "Errors", { FunctionName = "t" }, "Sum", "GreaterThanThreshold", 0, "2 of 3 x 300", "notBreaching"]
      verification-failed  = ["DynamoDBAccountCopy", "VerificationFailed", { Copy = "move-orders-0123abcd" }, "Maximum", "GreaterThanThreshold", 0, "1 of 1 x 300", "ignore"]
      verification-stalled = ["DynamoDBAccountCopy", "VerificationIdle", { Copy = "move-orders-0123abcd" }, "Maximum", "GreaterThanThreshold", 1800, "1 of 1 x 300", "ignore"]
      verifier-errors      = ["AWS/Lambda", "Errors", { FunctionName = "v" }, "Sum", "GreaterThanThreshold", 0, "2 of 3 x 300", "notBreaching"]
    })
    error_message = "An alarm of the verification looks at something else."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 18
    error_message = "The other alarms are those without a verification."
  }
}

run "topic" {
  command = plan

  module {
    source = "./modules/alarms"
  }

  variables {
    settings    = merge(var.settings, { create_topic = true, email_addresses = ["a@example.com", "b@example.com"] })
    kms_key_arn = "arn:aws:kms:eu-central-1:111111111111:key/1"
  }

  assert {
    condition     = aws_sns_topic.this[0].name == "move-orders-0123abcd-alarms" && aws_sns_topic.this[0].kms_master_key_id == "arn:aws:kms:eu-central-1:111111111111:key/1"
    error_message = "The topic is another one, or under another key."
  }

  assert {
    condition     = { for address, subscription in aws_sns_topic_subscription.email : address => subscription.protocol } == { "a@example.com" = "email", "b@example.com" = "email" }
    error_message = "Each address is subscribed."
  }

  assert {
    condition = jsonencode(jsondecode(data.aws_iam_policy_document.topic.json).Statement) == jsonencode([{
      Sid       = "OnlyTheAlarmsOfThisCopyPublish"
      Effect    = "Allow"
      Action    = "sns:Publish"
      Resource  = "arn:aws:sns:eu-central-1:111111111111:move-orders-0123abcd-alarms"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = "111111111111" }
        ArnEquals    = { "aws:SourceArn" = sort([for key, alarm in aws_cloudwatch_metric_alarm.this : "arn:aws:cloudwatch:eu-central-1:111111111111:alarm:${alarm.alarm_name}"]) }
      }
    }])
    error_message = "Somebody else may publish, or an alarm may not: ${data.aws_iam_policy_document.topic.json}"
  }
}
