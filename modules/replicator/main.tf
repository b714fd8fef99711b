# Stream to destination: the event source mapping, the function it feeds, and the queue it reports failures to.

locals {
  queue_arn = "arn:${var.place.partition}:sqs:${var.place.region}:${var.place.account_id}:${var.queue_name}"
}

# Told, with metadata only, of a batch the mapping has given up. With unlimited retries that happens only when the
# stream lets a record expire.
resource "aws_sqs_queue" "failures" {
  name                      = var.queue_name
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ReadTheStream"
    actions   = ["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"]
    resources = [var.stream_arn]
  }

  statement {
    sid     = "FindTheStream"
    actions = ["dynamodb:ListStreams"]
    # The API knows no resource for this action; a mapping is refused without it.
    resources = ["*"]
  }

  statement {
    sid       = "KeepLeasesMarksAndLetters"
    actions   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"]
    resources = [var.journal_arn]
  }

  statement {
    sid       = "WriteThroughTheDestinationRole"
    actions   = ["sts:AssumeRole"]
    resources = [var.destination_role_arn]
  }

  statement {
    sid       = "ReportFailedBatches"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arn]
  }
}

module "function" {
  source = "../function"

  place              = var.place
  name               = var.name
  description        = "Applies the records of the source stream to the destination table."
  handler            = "tablecopy.handlers.replicator.handle"
  timeout_seconds    = var.settings.timeout_seconds
  memory_mb          = var.settings.memory_mb
  environment        = var.environment
  policy_json        = data.aws_iam_policy_document.this.json
  kms_key_arn        = var.kms_key_arn
  architecture       = var.architecture
  log_retention_days = var.log_retention_days
  tags               = var.tags
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn  = var.stream_arn
  function_name     = module.function.arn
  starting_position = "TRIM_HORIZON"

  # The run switches the mapping on and off; see the lifecycle block.
  enabled = false

  batch_size                         = var.settings.batch_size
  maximum_batching_window_in_seconds = var.settings.batching_window_seconds

  # Not a variable: control follows the marks of applied batches from one to the next, and they make a chain only if
  # one lane reads the shard.
  parallelization_factor = 1

  # The function alone decides which record is refused for good. A limit here would drop what waits behind a slice.
  maximum_retry_attempts        = -1
  maximum_record_age_in_seconds = -1

  # The function says from which record on a batch is to come again. Bisecting is left off: it would cut a batch that
  # failed for no record's sake, as one that comes too early, into ever smaller ones.
  function_response_types = ["ReportBatchItemFailures"]

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.failures.arn
    }
  }

  tags = var.tags

  lifecycle {
    ignore_changes = [enabled]
  }
}
