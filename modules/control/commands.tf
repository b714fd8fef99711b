# Control: answers the commands from the journal, independently of the reconciler. It has no access to either table.

data "aws_iam_policy_document" "control" {
  statement {
    sid       = "AnswerFromTheJournal"
    actions   = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"]
    resources = [var.journal.arn]
  }

  statement {
    sid       = "CallTheReconciler"
    actions   = ["lambda:InvokeFunction"]
    resources = concat([local.reconciler_arn], var.verification[*].tracker.arn)
  }

  dynamic "statement" {
    for_each = var.verification[*]

    content {
      sid       = "StartAVerification"
      actions   = ["states:StartExecution"]
      resources = [statement.value.state_machine.arn]
    }
  }

  dynamic "statement" {
    for_each = var.verification[*]

    content {
      sid     = "FollowAVerification"
      actions = ["states:DescribeExecution"]
      # `:*` stands for this machine's executions.
      resources = ["${statement.value.state_machine.executions}:*"]
    }
  }
}

module "control" {
  source = "../function"

  function = merge(var.function, {
    name            = var.names.control
    description     = "Answers the commands from the journal and records them there."
    handler         = "tablecopy.handlers.control.handle"
    timeout_seconds = 30
    memory_mb       = 256
    # The journal's key only, because control reads no other table.
    table_key_arns = compact([var.journal.kms_key_arn])
  })
  environment = merge(
    {
      JOURNAL_TABLE         = var.journal.name
      STREAM_ARN            = var.stream_arn
      TOTAL_SEGMENTS        = tostring(var.settings.segments)
      DRAINED_AFTER_SECONDS = tostring(var.settings.drained_after_seconds)
      RECONCILER_FUNCTION   = var.names.reconciler
    },
    var.verification == null ? {} : {
      TRACKER_FUNCTION         = var.verification.tracker.name
      VERIFICATION_MACHINE_ARN = var.verification.state_machine.arn
      VERIFICATION_SEGMENTS    = tostring(var.verification.segments)
      VERIFICATION_CONCURRENCY = tostring(var.verification.concurrency)
    },
  )
  policy_json = data.aws_iam_policy_document.control.json
}
