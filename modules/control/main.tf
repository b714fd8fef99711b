# The reconciler: every minute it checks the journal and AWS and moves the run to its next phase.

locals {
  # Built, not referenced, because the role of the function itself names it.
  reconciler_arn = "arn:${var.function.location.partition}:lambda:${var.function.location.region}:${var.function.location.account_id}:function:${var.names.reconciler}"
}

data "aws_iam_policy_document" "reconciler" {
  statement {
    sid       = "KeepTheRun"
    actions   = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [var.journal.arn]
  }

  statement {
    sid       = "CheckTheSource"
    actions   = ["dynamodb:DescribeTable"]
    resources = [var.source_table_arn]
  }

  statement {
    sid       = "SeeWhatIsUnapplied"
    actions   = ["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"]
    resources = [var.stream_arn]
  }

  statement {
    sid       = "ReadManyShardsInParts"
    actions   = ["lambda:InvokeFunction"]
    resources = [local.reconciler_arn]
  }

  statement {
    sid       = "PauseAndResumeTheReplicator"
    actions   = ["lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping"]
    resources = [var.replicator.event_source_mapping.arn]
  }

  statement {
    sid     = "FindOtherReadersOfTheStream"
    actions = ["lambda:ListEventSourceMappings"]
    # The API has no resource for this action.
    resources = ["*"]
  }

  statement {
    sid     = "SeeHowManyWorkersTheAccountAllows"
    actions = ["lambda:GetAccountSettings"]
    # The API has no resource for this action.
    resources = ["*"]
  }

  statement {
    sid       = "StartASlice"
    actions   = ["states:StartExecution"]
    resources = [var.backfill.state_machine.arn]
  }

  statement {
    sid     = "FollowASlice"
    actions = ["states:DescribeExecution"]
    # `:*` stands for this machine's executions, one for each slice.
    resources = ["${var.backfill.state_machine.executions}:*"]
  }

  statement {
    sid       = "CountFailedBatches"
    actions   = ["sqs:GetQueueAttributes"]
    resources = [var.replicator.failure_queue.arn]
  }

  statement {
    sid       = "LookThroughTheDestinationRole"
    actions   = ["sts:AssumeRole"]
    resources = [var.destination_role_arn]
  }
}

module "reconciler" {
  source = "../function"

  function = merge(var.function, var.settings, {
    name        = var.names.reconciler
    description = "Checks the journal and AWS and moves the run to its next phase."
    handler     = "tablecopy.handlers.reconciler.handle"
    # The schedule calls every minute, and a pass checks for most of that minute. The rest is for slow responses.
    timeout_seconds = 120
  })
  environment = merge(
    var.environment,
    {
      STREAM_ARN                 = var.stream_arn
      MAPPING_UUID               = var.replicator.event_source_mapping.uuid
      STATE_MACHINE_ARN          = var.backfill.state_machine.arn
      FAILURE_QUEUE_URL          = var.replicator.failure_queue.url
      START_ON_APPLY             = tostring(var.settings.start_on_apply)
      TOTAL_SEGMENTS             = tostring(var.settings.segments)
      SLICE_SECONDS              = tostring(var.settings.slice_seconds)
      CONCURRENCY                = tostring(var.settings.concurrency)
      UNRESERVED_CONCURRENCY     = tostring(var.settings.unreserved_concurrency)
      REPLICATOR_RESERVED        = tostring(var.settings.replicator_reserved)
      DRAINED_AFTER_SECONDS      = tostring(var.settings.drained_after_seconds)
      RECORD_AGE_FRACTION        = tostring(var.settings.record_age_fraction)
      PRICES                     = jsonencode(var.settings.prices)
      ALLOW_NONEMPTY_DESTINATION = tostring(var.settings.allow_items)
    },
    { for time in compact([var.settings.begin_at_seal]) : "BEGIN_AT_SEAL" => time },
    # DynamoDB Streams has no private DNS name in a VPC, so boto3 needs the endpoint's.
    { for url in compact([var.settings.streams_endpoint_url]) : "AWS_ENDPOINT_URL_DYNAMODB_STREAMS" => url },
  )
  policy_json = data.aws_iam_policy_document.reconciler.json
}

# By default Lambda repeats a failed asynchronous call twice, and keeps a throttled one for six hours. The schedule calls again
# after a minute anyway.
resource "aws_lambda_function_event_invoke_config" "reconciler" {
  function_name                = module.reconciler.name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}

module "schedule" {
  source = "../schedule"

  function     = var.function
  name         = var.names.schedule
  description  = "Calls the reconciler every minute."
  function_arn = local.reconciler_arn
  invoked_arn  = module.reconciler.arn
  begins_after = var.destination_table_arn
}

moved {
  from = aws_iam_role.schedule
  to   = module.schedule.aws_iam_role.this
}

moved {
  from = aws_iam_role_policy.schedule
  to   = module.schedule.aws_iam_role_policy.this
}

moved {
  from = aws_scheduler_schedule.this
  to   = module.schedule.aws_scheduler_schedule.this
}
