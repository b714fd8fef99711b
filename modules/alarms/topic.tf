# A topic of the copy's own, to which only these alarms may publish.

locals {
  topic_arn = "arn:${var.location.partition}:sns:${var.location.region}:${var.location.account_id}:${var.names.alarm_topic}"

  # Built, not referenced: the alarms refer to the topic.
  alarm_arns = [
    for key in keys(local.alarms) :
    "arn:${var.location.partition}:cloudwatch:${var.location.region}:${var.location.account_id}:alarm:${var.names.copy}-${key}"
  ]
}

resource "aws_sns_topic" "this" {
  #checkov:skip=CKV_AWS_26:Encrypted if kms_key_arn is set. CloudWatch cannot publish under the key that AWS manages, and an alarm contains names and numbers only.
  count = var.settings.create_topic ? 1 : 0

  name              = var.names.alarm_topic
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "OnlyTheAlarmsOfThisCopyPublish"
    actions   = ["sns:Publish"]
    resources = [local.topic_arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = local.alarm_arns
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.location.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "this" {
  count = var.settings.create_topic ? 1 : 0

  arn    = aws_sns_topic.this[0].arn
  policy = data.aws_iam_policy_document.topic.json
}

# AWS sends each address a message to confirm before any alarm.
resource "aws_sns_topic_subscription" "email" {
  for_each = var.settings.create_topic ? toset(var.settings.email_addresses) : []

  topic_arn = aws_sns_topic.this[0].arn
  protocol  = "email"
  endpoint  = each.value
}
