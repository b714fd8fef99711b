# Scan to destination: the function that scans one segment.

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ScanTheSource"
    actions   = ["dynamodb:Scan"]
    resources = [var.source_table_arn]
  }

  # A redrive reads what the source holds now under the key of a dead letter.
  statement {
    sid       = "ReadDeadLettersAgain"
    actions   = ["dynamodb:GetItem"]
    resources = [var.source_table_arn]
  }

  statement {
    sid       = "KeepLeasesCheckpointsAndLetters"
    actions   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"]
    resources = [var.journal_arn]
  }

  statement {
    sid       = "WriteThroughTheDestinationRole"
    actions   = ["sts:AssumeRole"]
    resources = [var.destination_role_arn]
  }
}

module "function" {
  source = "../function"

  place                = var.place
  name                 = var.name
  description          = "Scans a segment of the source table into the destination table."
  handler              = "tablecopy.handlers.backfill.handle"
  timeout_seconds      = var.settings.timeout_seconds
  memory_mb            = var.settings.memory_mb
  reserved_concurrency = var.settings.reserved_concurrency
  environment          = var.environment
  policy_json          = data.aws_iam_policy_document.this.json
  table_key_arns       = var.table_key_arns
  kms_key_arn          = var.kms_key_arn
  role                 = var.role
  vpc                  = var.vpc
  architecture         = var.architecture
  log_retention_days   = var.log_retention_days
  tags                 = var.tags
}
