# Comparison of both tables in the account: the function that compares a segment.

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ReadTheSource"
    actions   = ["dynamodb:Scan", "dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"]
    resources = [var.source_table_arn]
  }

  statement {
    sid       = "KeepProgressAndDifferences"
    actions   = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem"]
    resources = [var.journal_arn]
  }

  statement {
    sid       = "ReadThroughTheDestinationRole"
    actions   = ["sts:AssumeRole"]
    resources = [var.destination_role_arn]
  }
}

module "function" {
  source = "../function"

  function = merge(var.function, {
    name                 = var.names.verifier
    description          = "Compares a segment of both tables."
    handler              = "tablecopy.handlers.verifier.handle"
    timeout_seconds      = var.settings.timeout_seconds
    memory_mb            = var.settings.memory_mb
    reserved_concurrency = var.settings.reserved_concurrency
  })
  environment = merge(var.environment, {
    DESTINATION_ROLE_ARN      = var.destination_role_arn
    READ_CAPACITY             = var.settings.read_capacity == null ? "" : tostring(var.settings.read_capacity)
    DESTINATION_READ_CAPACITY = var.settings.destination_read_capacity == null ? "" : tostring(var.settings.destination_read_capacity)
  })
  policy_json = data.aws_iam_policy_document.this.json
}
