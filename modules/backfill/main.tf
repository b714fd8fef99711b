# Scan to destination: the function that scans a segment.

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ScanTheSource"
    actions   = ["dynamodb:Scan"]
    resources = [var.source_table_arn]
  }

  # A redrive reads the present source item of a dead letter.
  statement {
    sid       = "ReadDeadLettersAgain"
    actions   = ["dynamodb:GetItem"]
    resources = [var.source_table_arn]
  }

  statement {
    sid       = "KeepLeasesCheckpointsAndLetters"
    actions   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
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

  function = merge(var.function, var.settings, {
    name        = var.names.backfill
    description = "Scans a segment of the source table into the destination table."
    handler     = "tablecopy.handlers.backfill.handle"
  })
  environment = var.environment
  policy_json = data.aws_iam_policy_document.this.json
}
