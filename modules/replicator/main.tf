# Stream to destination: the event source mapping, its function, and its failure queue.

locals {
  location    = var.function.location
  kms_key_arn = var.function.kms_key_arn

  queue_arn = "arn:${local.location.partition}:sqs:${local.location.region}:${local.location.account_id}:${var.names.failure_queue}"
}

# Receives the metadata of a batch that the mapping has given up. Retries are unlimited, so this happens only after the stream
# has expired a record.
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
        kms_key_arn is ${coalesce(local.kms_key_arn, "?")}, but the functions, their logs and the failure queue are in ${local.location.region}. AWS encrypts them only with a key of the same region.
        Set a key of that region. To list them, with the source's credentials:
          aws kms list-keys --region ${local.location.region}
      EOT
    }
  }
}

# The account's own policies allow access to the queue. No other account has access.
data "aws_iam_policy_document" "queue" {
  statement {
    sid    = "RefuseUnencryptedTransport"
    effect = "Deny"
    # The actions on messages. SQS allows seven actions in a statement.
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

  # A message here prevents a run from becoming ready. Lambda sends with the role's permissions, without an aws:SourceArn.
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
    # The API has no resource for this action, and a mapping requires it.
    resources = ["*"]
  }

  statement {
    sid       = "KeepLeasesMarksAndLetters"
    actions   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
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

  # SQS encrypts with the permissions of the sender.
  dynamic "statement" {
    for_each = local.kms_key_arn == null ? [] : [local.kms_key_arn]

    content {
      sid       = "EncryptFailedBatches"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        # AWS does not document which of its suffixes names the service in China.
        values = [for suffix in local.location.partition == "aws-cn" ? ["com", "com.cn"] : ["com"] : "sqs.${local.location.region}.amazonaws.${suffix}"]
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

# The mapping knows how far it has read the stream, and the journal knows which of these changes were applied. With an empty
# journal, an old mapping would start after changes that the new run has not seen, so a new journal replaces the mapping.
resource "terraform_data" "journal" {
  triggers_replace = [var.journal.generation]
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn  = var.stream_arn
  function_name     = module.function.arn
  starting_position = "TRIM_HORIZON"

  # The run enables and disables the mapping.
  enabled = false

  batch_size                         = var.settings.batch_size
  maximum_batching_window_in_seconds = var.settings.batching_window_seconds

  # Not a variable: the reconciler follows the chain of applied batches, and only one reader of a shard makes a chain.
  parallelization_factor = 1

  # Only the function decides which record is permanently rejected. A limit here would drop changes that wait for a slice.
  maximum_retry_attempts        = -1
  maximum_record_age_in_seconds = -1

  # The function reports the record from which to retry a batch. Bisecting stays off, because it would split batches that fail
  # for another reason than a record, for example during a slice.
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
