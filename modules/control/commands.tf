# Control: answers operators from the journal, whatever the reconciler is doing. It reaches neither table.

data "aws_iam_policy_document" "control" {
  statement {
    sid       = "AnswerFromTheJournal"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
    resources = [var.journal_arn]
  }

  statement {
    sid       = "CallTheReconciler"
    actions   = ["lambda:InvokeFunction"]
    resources = [local.reconciler_arn]
  }
}

module "control" {
  source = "../function"

  place           = var.place
  name            = var.name
  description     = "Answers operators from the journal and notes their commands there."
  handler         = "tablecopy.handlers.control.handle"
  timeout_seconds = 30
  memory_mb       = 256
  environment = merge(var.environment, {
    STREAM_ARN            = var.stream_arn
    TOTAL_SEGMENTS        = tostring(var.settings.segments)
    DRAINED_AFTER_SECONDS = tostring(var.settings.drained_after_seconds)
    RECONCILER_FUNCTION   = var.reconciler_name
  })
  policy_json        = data.aws_iam_policy_document.control.json
  table_key_arns     = var.table_key_arns
  kms_key_arn        = var.kms_key_arn
  role               = var.role
  vpc                = var.vpc
  architecture       = var.architecture
  log_retention_days = var.log_retention_days
  tags               = var.tags
}
