# Dashboard of a run: alarms, phase and lag, then progress, then errors.
#
# Widgets have a size but no position: CloudWatch places them in order, row by row on a grid of 24 columns.
# lambda/tablecopy/metrics/definitions.py defines the copy's own metrics. If a metric has several sets of dimensions, a graph
# shows one of them as a line: a table's value includes its indexes.

locals {
  functions      = concat(["replicator", "backfill", "reconciler", "control"], var.verification ? ["verifier", "tracker"] : [])
  function_names = { for function in local.functions : function => var.names[function] }

  namespace         = "DynamoDBAccountCopy"
  state_machine_arn = "arn:${var.source_table.partition}:states:${var.source_table.region}:${var.source_table.account_id}:stateMachine:${var.names.state_machine}"
  phases            = ["none", "preflight", "pausing", "slice", "resuming", "draining", "ready", "sealing", "sealed", "stopped"]

  # Counts of the functions add up. Values that the reconciler reports are levels.
  counted = { stat = "Sum", period = 60, region = var.source_table.region, view = "timeSeries" }
  level   = merge(local.counted, { stat = "Maximum" })

  # CloudWatch finds the indexes after the first writes to them.
  by_index = {
    for metric in ["ConsumedWriteUnits", "WriteThrottles"] :
    metric => "SEARCH('{${local.namespace},Copy,Index,Table} Copy=\"${var.names.copy}\" MetricName=\"${metric}\"', 'Sum', 60)"
  }

  header = {
    type   = "text"
    width  = 24
    height = 2
    properties = {
      markdown = join("\n", [
        "**${var.source_table.table_name}** (${var.source_table.account_id}, ${var.source_table.region}) to **${var.destination_table.table_name}** (${var.destination_table.account_id}, ${var.destination_table.region}). To show the run:",
        "`${var.status_command}`",
      ])
    }
  }

  alarms = [for arns in [var.alarm_arns] : {
    type       = "alarm"
    width      = 24
    height     = 3
    properties = { title = "Alarms", alarms = arns }
  } if length(arns) > 0]

  phase = {
    title   = "Phase"
    stacked = true
    metrics = [for phase in local.phases : [local.namespace, "RunPhase", "Copy", var.names.copy, "Phase", phase, { label = phase }]]
    yAxis   = { left = { min = 0, max = 1 } }
  }

  lag = {
    title   = "Age of the oldest unapplied change"
    metrics = [[local.namespace, "OldestUnappliedChangeAge", "Copy", var.names.copy, { label = "seconds" }]]
    yAxis   = { left = { min = 0 } }
    annotations = { horizontal = [
      { label = "too old", value = var.unapplied_change_age_seconds, color = "#ff7f0e" },
      { label = "lost", value = 24 * 3600, color = "#d62728" },
    ] }
  }

  sums = {
    title                = "In this time range"
    view                 = "singleValue"
    setPeriodToTimeRange = true
    metrics = [
      [local.namespace, "ItemsCopied", "Copy", var.names.copy, { label = "items copied" }],
      [local.namespace, "BytesCopied", "Copy", var.names.copy, { label = "bytes copied" }],
      [local.namespace, "RecordsApplied", "Copy", var.names.copy, { label = "changes applied" }],
      [local.namespace, "WritesRefused", "Copy", var.names.copy, { label = "writes refused" }],
    ]
  }

  copied = {
    title = "Copied by the backfill, a minute"
    metrics = [
      [local.namespace, "ItemsCopied", "Copy", var.names.copy, { label = "items" }],
      [local.namespace, "BytesCopied", "Copy", var.names.copy, { label = "bytes", yAxis = "right" }],
    ]
  }

  changes = {
    title = "Changes applied, a minute"
    metrics = [
      [local.namespace, "RecordsApplied", "Copy", var.names.copy, { label = "changes" }],
      [local.namespace, "PutsApplied", "Copy", var.names.copy, { label = "puts" }],
      [local.namespace, "DeletesApplied", "Copy", var.names.copy, { label = "deletes" }],
    ]
  }

  read = {
    title = "Read units of the source, a minute"
    metrics = [
      [local.namespace, "ConsumedReadUnits", "Copy", var.names.copy, "Table", var.source_table.table_name, { label = "read units" }],
    ]
  }

  written = {
    title = "Write units of the destination, a minute"
    metrics = [
      [local.namespace, "ConsumedWriteUnits", "Copy", var.names.copy, "Table", var.destination_table.table_name, { label = "write units, indexes included" }],
      [{ expression = local.by_index["ConsumedWriteUnits"], label = "index $${PROP('Dim.Index')}" }],
    ]
  }

  throttles = {
    title = "Throttled calls, a minute"
    metrics = [
      [local.namespace, "ReadThrottles", "Copy", var.names.copy, "Table", var.source_table.table_name, { label = "reads" }],
      [local.namespace, "WriteThrottles", "Copy", var.names.copy, "Table", var.destination_table.table_name, { label = "writes, indexes included" }],
      [{ expression = local.by_index["WriteThrottles"], label = "index $${PROP('Dim.Index')}" }],
    ]
  }

  dead_letters = {
    title = "Not written"
    metrics = [
      [local.namespace, "DeadLetters", "Copy", var.names.copy, { label = "open dead letters" }],
      [local.namespace, "WritesRefused", "Copy", var.names.copy, { label = "writes refused, a minute", stat = "Sum" }],
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.names.failure_queue, { label = "failed batches" }],
    ]
  }

  touched = {
    title = "Written since the verification"
    metrics = [
      [local.namespace, "TouchedKeysLeft", "Copy", var.names.copy, { label = "keys to compare" }],
      [local.namespace, "TouchedDifferences", "Copy", var.names.copy, { label = "differences" }],
      [local.namespace, "VerifiedThroughAge", "Copy", var.names.copy, { label = "seconds not verified", yAxis = "right" }],
    ]
  }

  errors = {
    title = "Errors"
    metrics = concat(
      [for key, name in local.function_names : ["AWS/Lambda", "Errors", "FunctionName", name, { label = "${key}, errors" }]],
      [for key, name in local.function_names : ["AWS/Lambda", "Throttles", "FunctionName", name, { label = "${key}, throttled" }]],
      [
        [local.namespace, "FailedWorkers", "Copy", var.names.copy, { label = "workers that gave up", stat = "Maximum" }],
        [local.namespace, "EmptySlices", "Copy", var.names.copy, { label = "empty slices in a row", stat = "Maximum" }],
        ["AWS/States", "ExecutionsTimedOut", "StateMachineArn", local.state_machine_arn, { label = "executions timed out" }],
      ],
    )
  }

  reconciler = {
    title = "Reconciler"
    metrics = [
      [local.namespace, "Reconciliations", "Copy", var.names.copy, { label = "passes, a minute", stat = "Sum" }],
      [local.namespace, "RunStopped", "Copy", var.names.copy, { label = "run stopped" }],
    ]
  }

  verification = {
    title = "Verification in the account"
    metrics = [
      [local.namespace, "ItemsCompared", "Copy", var.names.copy, { label = "items compared, of both tables" }],
      [local.namespace, "VerificationRunning", "Copy", var.names.copy, { label = "running", yAxis = "right" }],
    ]
    yAxis = { left = { min = 0 }, right = { min = 0 } }
  }

  found = {
    title = "Found by the verification"
    metrics = [
      [local.namespace, "DifferencesFound", "Copy", var.names.copy, { label = "differences" }],
      [local.namespace, "FailedVerifiers", "Copy", var.names.copy, { label = "workers that gave up" }],
      [local.namespace, "VerificationFailed", "Copy", var.names.copy, { label = "failed" }],
      [local.namespace, "VerificationIdle", "Copy", var.names.copy, { label = "seconds without progress", yAxis = "right" }],
    ]
    yAxis = { left = { min = 0 }, right = { min = 0 } }
  }

  compared = {
    title = "Reads of the destination by the verification, a minute"
    metrics = [
      [local.namespace, "DestinationReadUnits", "Copy", var.names.copy, "Table", var.destination_table.table_name, { label = "read units" }],
      [local.namespace, "DestinationReadThrottles", "Copy", var.names.copy, "Table", var.destination_table.table_name, { label = "throttled calls", yAxis = "right" }],
    ]
  }

  verification_widgets = [
    { type = "metric", width = 8, height = 6, properties = merge(local.level, local.verification) },
    { type = "metric", width = 8, height = 6, properties = merge(local.level, local.found) },
    { type = "metric", width = 8, height = 6, properties = merge(local.counted, local.compared) },
  ]

  body = {
    widgets = concat([local.header], local.alarms, [
      { type = "metric", width = 12, height = 6, properties = merge(local.level, local.phase) },
      { type = "metric", width = 12, height = 6, properties = merge(local.level, local.lag) },
      { type = "metric", width = 24, height = 3, properties = merge(local.counted, local.sums) },
      { type = "metric", width = 12, height = 6, properties = merge(local.counted, local.copied) },
      { type = "metric", width = 12, height = 6, properties = merge(local.counted, local.changes) },
      { type = "metric", width = 8, height = 6, properties = merge(local.counted, local.read) },
      { type = "metric", width = 8, height = 6, properties = merge(local.counted, local.written) },
      { type = "metric", width = 8, height = 6, properties = merge(local.counted, local.throttles) },
      { type = "metric", width = 8, height = 6, properties = merge(local.level, local.dead_letters) },
      { type = "metric", width = 8, height = 6, properties = merge(local.counted, local.errors) },
      { type = "metric", width = 8, height = 6, properties = merge(local.level, local.reconciler) },
      { type = "metric", width = 24, height = 6, properties = merge(local.level, local.touched) },
    ], [for widget in local.verification_widgets : widget if var.verification])
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.names.dashboard
  dashboard_body = jsonencode(local.body)
}
