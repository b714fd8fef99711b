# Alarms of a copy. lambda/tablecopy/metrics/definitions.py defines the copy's own metrics. docs/reference.md explains what to
# do about each alarm.

locals {
  functions      = concat(["replicator", "backfill", "reconciler", "control"], var.verification ? ["verifier", "tracker"] : [])
  function_names = { for function in local.functions : function => var.names[function] }

  own   = { namespace = "DynamoDBAccountCopy", dimensions = { Copy = var.names.copy } }
  once  = { period = 300, evaluation_periods = 1, datapoints_to_alarm = 1 }
  twice = { period = 300, evaluation_periods = 2, datapoints_to_alarm = 2 }
  # A failed call is repeated, so single errors need no attention.
  repeated = { period = 300, evaluation_periods = 3, datapoints_to_alarm = 2 }

  above = { comparison_operator = "GreaterThanThreshold", threshold = 0 }
  # What the reconciler reports stays so until it reports something else. A silent reconciler has an alarm of its own.
  level = merge(local.own, local.above, { statistic = "Maximum", treat_missing_data = "ignore" })
  # Without events there is no data.
  count = merge(local.above, { statistic = "Sum", treat_missing_data = "notBreaching" })

  alarms = merge({
    # A stopped run and a silent reconciler publish no age; the change still ages. A sealed run publishes 0.
    unapplied-change-age = merge(local.level, local.twice, {
      description = "A source change has waited too long for the destination. A stream keeps it for 24 hours, then it is lost. `tablecopy status` shows the state of the run."
      metric_name = "OldestUnappliedChangeAge"
      threshold   = var.unapplied_change_age_seconds
    })

    # The reconciler runs every minute in every phase, also after the run is sealed.
    reconciler-silent = merge(local.own, local.twice, {
      description         = "The reconciler has not completed a pass for ten minutes: its schedule is off, or each pass fails. See its log group."
      metric_name         = "Reconciliations"
      statistic           = "Sum"
      comparison_operator = "LessThanThreshold"
      threshold           = 1
      treat_missing_data  = "breaching"
    })

    run-stopped = merge(local.level, local.once, {
      description = "The run has stopped and needs you. `tablecopy status` shows the reason. `tablecopy start` continues the run if possible."
      metric_name = "RunStopped"
    })

    dead-letters = merge(local.level, local.once, {
      description = "The destination permanently rejects an item. The run cannot become ready until the dead letter is resolved. `tablecopy dead-letters` shows it and the error. `tablecopy redrive` tries again."
      metric_name = "DeadLetters"
    })

    failed-batches = merge(local.count, local.once, {
      description = "The event source mapping has given up a batch. Its changes did not reach the destination."
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = var.names.failure_queue }
      statistic   = "Maximum"
    })

    # Not ExecutionsFailed of the state machine: the map tolerates failed workers, which have a metric of their own.
    failed-workers = merge(local.level, local.once, {
      description = "Backfill workers gave up before their slice ended. Another slice continues their segments. The backfill's log group and the failed executions of the state machine's map show the error."
      metric_name = "FailedWorkers"
    })

    empty-slices = merge(local.level, local.once, {
      description = "A slice of the backfill copied nothing. Three in a row stop the run. `tablecopy status` and the backfill's log group show the reason."
      metric_name = "EmptySlices"
    })

    # Only while keys are tracked. Afterwards there is no data.
    touched-differences = merge(local.own, local.above, local.once, {
      description        = "An item that was written since the verification differs, although every change is applied. `tablecopy verify --in-account --report` lists it."
      metric_name        = "TouchedDifferences"
      statistic          = "Maximum"
      treat_missing_data = "notBreaching"
    })

    timed-out-execution = merge(local.count, local.once, {
      description = "An execution of the state machine continued after the end of its slice, because a worker did not return. See the backfill's log group."
      namespace   = "AWS/States"
      metric_name = "ExecutionsTimedOut"
      dimensions  = { StateMachineArn = "arn:${var.location.partition}:states:${var.location.region}:${var.location.account_id}:stateMachine:${var.names.state_machine}" }
    })
    }, { for key, alarm in local.verification_alarms : key => alarm if var.verification }, {
    for key, name in local.function_names : "${key}-errors" => merge(local.count, local.repeated, {
      description = "The function ${name} keeps failing: errors in two of three periods of five minutes. See its log group."
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions  = { FunctionName = name }
    })
  })

  verification_alarms = {
    differences-found = merge(local.level, local.once, {
      description = "The latest verification or audit in the account has found differences between the tables. `verify --in-account --report` or `tablecopy audit --report` shows them."
      metric_name = "DifferencesFound"
    })

    verification-failed = merge(local.level, local.once, {
      description = "The latest verification or audit in the account has failed. `tablecopy status` shows the reason."
      metric_name = "VerificationFailed"
    })

    # Between two rechecks it waits for ten minutes at most.
    verification-stalled = merge(local.level, local.once, {
      description = "The verification in the account has made no progress for half an hour. See the verifier's log group, and the executions of its state machine. `verify --in-account` continues one that has ended early."
      metric_name = "VerificationIdle"
      threshold   = 1800
    })
  }

  topic_arns = concat(var.settings.topic_arns, aws_sns_topic.this[*].arn)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.names.copy}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric_name
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.evaluation_periods
  datapoints_to_alarm = each.value.datapoints_to_alarm
  comparison_operator = each.value.comparison_operator
  threshold           = each.value.threshold
  treat_missing_data  = each.value.treat_missing_data

  alarm_actions = local.topic_arns
  ok_actions    = local.topic_arns
  tags          = var.tags
}
