data "aws_iam_policy_document" "schedule_trust" {
  statement {
    sid     = "SchedulerCallsControl"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.place.account_id]
    }
  }
}

resource "aws_iam_role" "schedule" {
  name               = var.schedule_name
  description        = "Calls the reconciler every minute."
  assume_role_policy = data.aws_iam_policy_document.schedule_trust.json
  tags               = var.tags
}

data "aws_iam_policy_document" "schedule" {
  statement {
    sid       = "InvokeControl"
    actions   = ["lambda:InvokeFunction"]
    resources = [module.function.arn]
  }
}

resource "aws_iam_role_policy" "schedule" {
  name   = "work"
  role   = aws_iam_role.schedule.name
  policy = data.aws_iam_policy_document.schedule.json
}

resource "aws_scheduler_schedule" "this" {
  name                = var.schedule_name
  description         = "Calls the reconciler every minute."
  schedule_expression = "rate(1 minute)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.function.arn
    role_arn = aws_iam_role.schedule.arn
    input    = jsonencode({ action = "reconcile" })

    # The next call is a minute away and does the same.
    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 0
    }
  }

  depends_on = [aws_iam_role_policy.schedule]
}
