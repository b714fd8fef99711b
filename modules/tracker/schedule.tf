locals {
  location       = var.function.location
  schedule_group = "default"
  tracker_arn    = "arn:${local.location.partition}:lambda:${local.location.region}:${local.location.account_id}:function:${var.names.tracker}"
}

data "aws_iam_policy_document" "schedule_trust" {
  statement {
    sid     = "SchedulerCallsTheTracker"
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
      values   = ["arn:${local.location.partition}:scheduler:${local.location.region}:${local.location.account_id}:schedule-group/${local.schedule_group}"]
    }
  }
}

resource "aws_iam_role" "schedule" {
  name                 = var.names.tracking
  path                 = var.function.role.path
  permissions_boundary = var.function.role.permissions_boundary_arn
  description          = "Calls the tracker every minute."
  assume_role_policy   = data.aws_iam_policy_document.schedule_trust.json
  tags                 = var.function.tags
}

data "aws_iam_policy_document" "schedule" {
  statement {
    sid       = "InvokeTheTracker"
    actions   = ["lambda:InvokeFunction"]
    resources = [local.tracker_arn]
  }
}

resource "aws_iam_role_policy" "schedule" {
  name = "work"
  # Not the name, which a replaced role keeps although its policies are deleted.
  role   = aws_iam_role.schedule.id
  policy = data.aws_iam_policy_document.schedule.json
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:It contains no secret, only a name and a rate.

  name                = var.names.tracking
  group_name          = local.schedule_group
  description         = "Calls the tracker every minute. It ends immediately unless keys are tracked."
  schedule_expression = "rate(1 minute)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.function.arn
    role_arn = aws_iam_role.schedule.arn
    input    = "{}"

    # The next call follows after a minute.
    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 0
    }
  }

  depends_on = [aws_iam_role_policy.schedule]
}
