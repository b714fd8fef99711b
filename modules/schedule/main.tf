# A schedule that calls one function every minute, and its role.

locals {
  location      = var.function.location
  group         = "default"
  scheduler_arn = "arn:${local.location.partition}:scheduler:${local.location.region}:${local.location.account_id}"
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "SchedulerCallsTheFunction"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.location.account_id]
    }

    # Scheduler sends the ARN of the schedule's group, never the schedule's.
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = ["${local.scheduler_arn}:schedule-group/${local.group}"]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  path                 = var.function.role.path
  permissions_boundary = var.function.role.permissions_boundary_arn
  description          = var.description
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  tags                 = var.function.tags
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "InvokeTheFunction"
    actions   = ["lambda:InvokeFunction"]
    resources = [var.function_arn]
  }
}

resource "aws_iam_role_policy" "this" {
  name = "work"
  # Not the name, which a replaced role keeps although its policies are deleted.
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:It contains no secret, only a name and a rate.

  name                = var.name
  group_name          = local.group
  description         = var.description
  schedule_expression = "rate(1 minute)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.invoked_arn
    role_arn = aws_iam_role.this.arn
    input    = "{}"

    # The next call follows after a minute.
    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 0
    }
  }

  depends_on = [aws_iam_role_policy.this, var.begins_after]
}
