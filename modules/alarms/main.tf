# What wakes somebody up. The names of this module's own metrics are those of lambda/tablecopy/metrics.py; docs/reference.md
# says what to do about each alarm.

locals {
  function_names = { for function in ["replicator", "backfill", "reconciler", "control"] : function => var.names[function] }

  own  = { namespace = "DynamoDBAccountCopy", dimensions = { Copy = var.names.copy } }
  once = { period = 300, evaluation_periods = 1, datapoints_to_alarm = 1 }

  # A call that failed is made again. Errors that go on are a reason to look.
  repeated = { period = 300, evaluation_periods = 3, datapoints_to_alarm = 2 }

  above = { comparison_operator = "GreaterThanThreshold", threshold = 0 }

  executions = {
    namespace  = "AWS/States"
    dimensions = { StateMachineArn = "arn:${var.location.partition}:states:${var.location.region}:${var.location.account_id}:stateMachine:${var.names.state_machine}" }
  }

  alarms = merge({
    unapplied-change-age = merge(local.own, local.once, local.above, {
      description        = "A change of the source waits too long for the destination. A stream keeps it for 24 hours; then it is lost. `tablecopy status` shows what the run is doing."
      metric_name        = "OldestUnappliedChangeAge"
      statistic          = "Maximum"
      evaluation_periods = 2
      # Twice in a row.
      datapoints_to_alarm = 2
      threshold           = var.unapplied_change_age_seconds
      # A change does not get younger because nobody tells its age: not told by a stopped run, nor by a silent reconciler,
      # which have alarms of their own. A sealed run tells 0.
      treat_missing_data = "ignore"
    })

    reconciler-silent = merge(local.own, local.once, {
      description         = "The reconciler has not completed a pass for ten minutes: its schedule is off, or each pass fails. See its log group."
      metric_name         = "Reconciliations"
      statistic           = "Sum"
      evaluation_periods  = 2
      datapoints_to_alarm = 2
      comparison_operator = "LessThanThreshold"
      threshold           = 1
      # Silence is no data. The reconciler looks every minute, in every phase, also when the run is sealed.
      treat_missing_data = "breaching"
    })

    run-stopped = merge(local.own, local.once, local.above, {
      description = "The run cannot go on without you. `tablecopy status` says why, `tablecopy start` carries on where it can."
      metric_name = "RunStopped"
      statistic   = "Maximum"
      # It stays stopped, whether the reconciler reports it or not.
      treat_missing_data = "ignore"
    })

    dead-letters = merge(local.own, local.once, local.above, {
      description = "The destination refuses an item for good. The run is not ready before it is settled: `tablecopy letters` shows it and why, `tablecopy redrive` tries again."
      metric_name = "DeadLetters"
      statistic   = "Maximum"
      # A letter stays until it is settled, whether the reconciler reports it or not.
      treat_missing_data = "ignore"
    })

    failed-batches = merge(local.once, local.above, {
      description = "The event source mapping has given up a batch: its changes did not reach the destination."
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = var.names.failure_queue }
      statistic   = "Maximum"
      # A queue nobody has sent to publishes nothing.
      treat_missing_data = "notBreaching"
    })

    # Not ExecutionsFailed of the state machine: the map tolerates failed workers, whose executions have a metric of their own.
    failed-workers = merge(local.own, local.once, local.above, {
      description = "Backfill workers gave up before their slice ended. Another slice continues their segments. The log group of the backfill and the failed executions of the state machine's map show why."
      metric_name = "FailedWorkers"
      statistic   = "Maximum"
      # The number stays until the next slice begins, even while control is silent.
      treat_missing_data = "ignore"
    })

    empty-slices = merge(local.own, local.once, local.above, {
      description = "A slice of the backfill copied nothing. Three in a row stop the run. `tablecopy status` and the log group of the backfill show why."
      metric_name = "EmptySlices"
      statistic   = "Maximum"
      # The number stays until a slice copies something, even while control is silent.
      treat_missing_data = "ignore"
    })

    timed-out-execution = merge(local.executions, local.once, local.above, {
      description = "An execution of the state machine went on after the end of its slice: a worker does not come back. See the log group of the backfill."
      metric_name = "ExecutionsTimedOut"
      statistic   = "Sum"
      # Between slices nothing runs.
      treat_missing_data = "notBreaching"
    })
    }, {
    for key, name in local.function_names : "${key}-errors" => merge(local.repeated, local.above, {
      description = "The function ${name} keeps failing: errors in two of three periods of five minutes. See its log group."
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions  = { FunctionName = name }
      statistic   = "Sum"
      # A function that is not called publishes nothing: the replicator in a slice, the backfill between slices.
      treat_missing_data = "notBreaching"
    })
  })

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
