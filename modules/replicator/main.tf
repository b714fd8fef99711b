# Stream to destination: the event source mapping, the function it feeds, and the queue it reports failures to.

locals {
  location    = var.function.location
  kms_key_arn = var.function.kms_key_arn

  queue_arn = "arn:${local.location.partition}:sqs:${local.location.region}:${local.location.account_id}:${var.names.failure_queue}"
}

# Told, with metadata only, of a batch the mapping has given up. With unlimited retries that happens only when the
# stream lets a record expire.
resource "aws_sqs_queue" "failures" {
  name                      = var.names.failure_queue
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = local.kms_key_arn == null ? true : null
  kms_master_key_id         = local.kms_key_arn
  policy                    = data.aws_iam_policy_document.queue.json
  tags                      = var.function.tags

  lifecycle {
    precondition {
      condition     = local.kms_key_arn == null ? true : split(":", local.kms_key_arn)[3] == local.location.region
      error_message = <<-EOT
        kms_key_arn is ${coalesce(local.kms_key_arn, "?")}; the functions, their logs and the failure queue are in ${local.location.region}, and AWS encrypts them with a key of their own region only.
        Give a key there. Its keys lists, with the source's credentials:
          aws kms list-keys --region ${local.location.region}
      EOT
    }
  }
}

# Who in the account may read the queue is for the account's own policies to say. Nobody else is let in.
data "aws_iam_policy_document" "queue" {
  statement {
    sid    = "RefuseUnencryptedTransport"
    effect = "Deny"
    # All that carries a message, or does away with one; SQS takes seven actions in a statement.
    actions   = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:PurgeQueue"]
    resources = [local.queue_arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # A message that stays here keeps a run from getting ready. Lambda sends in the role's name, so that there is no
  # aws:SourceArn to ask for.
  statement {
    sid       = "OnlyTheReplicatorReports"
    effect    = "Deny"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = ["arn:${local.location.partition}:iam::${local.location.account_id}:role${var.function.role.path}${var.names.replicator}"]
    }
  }
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
    resources = [var.journal.arn]
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

  # SQS encrypts in the name of the sender.
  dynamic "statement" {
    for_each = local.kms_key_arn == null ? [] : [local.kms_key_arn]

    content {
      sid       = "EncryptFailedBatches"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        # In China a service is named by its endpoint, or as elsewhere: AWS does not document which.
        values = [
          for suffix in local.location.partition == "aws-cn" ? ["com", "com.cn"] : ["com"] :
          "sqs.${local.location.region}.amazonaws.${suffix}"
        ]
      }
    }
  }
}

module "function" {
  source = "../function"

  function = merge(var.function, var.settings, {
    name        = var.names.replicator
    description = "Applies the records of the source stream to the destination table."
    handler     = "tablecopy.handlers.replicator.handle"
  })
  environment = var.environment
  policy_json = data.aws_iam_policy_document.this.json
}

# A mapping goes with the journal: it knows how far it has read the stream, and the journal, what became of that. Beside an
# empty journal the old mapping would begin behind changes that the new run never saw applied.
resource "terraform_data" "journal" {
  triggers_replace = [var.journal.generation]
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

  tags = var.function.tags

  lifecycle {
    ignore_changes       = [enabled]
    replace_triggered_by = [terraform_data.journal]
  }
}
