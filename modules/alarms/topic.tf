# A topic of the copy's own, for those who have none: these alarms may publish to it, and nobody else.

locals {
  topic_arn = "arn:${var.place.partition}:sns:${var.place.region}:${var.place.account_id}:${var.topic_name}"

  # Built, not referenced: the alarms refer to the topic.
  alarm_arns = [
    for key in keys(local.alarms) :
    "arn:${var.place.partition}:cloudwatch:${var.place.region}:${var.place.account_id}:alarm:${var.name}-${key}"
  ]
}

resource "aws_sns_topic" "this" {
  #checkov:skip=CKV_AWS_26:Encrypted where kms_key_arn is given. CloudWatch cannot publish under the key that AWS manages, and an alarm tells names and numbers only.
  count = var.create_topic ? 1 : 0

  name              = var.topic_name
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
      values   = [var.place.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "this" {
  count = var.create_topic ? 1 : 0

  arn    = aws_sns_topic.this[0].arn
  policy = data.aws_iam_policy_document.topic.json
}

# Each address has to confirm what AWS sends it; until then it is told nothing.
resource "aws_sns_topic_subscription" "email" {
  for_each = var.create_topic ? toset(var.email_addresses) : []

  topic_arn = aws_sns_topic.this[0].arn
  protocol  = "email"
  endpoint  = each.value
}
