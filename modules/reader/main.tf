# The role of those who compare, in the destination account: it reads the items, and the stream if they follow it. It writes nothing.

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "TheReadersOfThisCopy"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.trusted_role_arns
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.role.external_id]
    }

    # The principal above implies it, but AWS stores it as an id. This condition stays readable.
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalAccount"
      values   = [var.role.trusted_account_id]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  path                 = var.role.path
  permissions_boundary = var.role.permissions_boundary_arn
  description          = "Reads the items of ${var.table_name} to compare them."
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  tags                 = var.tags
}

data "aws_iam_policy_document" "this" {
  source_policy_documents = [var.key_policy_json]

  statement {
    sid       = "ReadItems"
    actions   = ["dynamodb:Scan", "dynamodb:BatchGetItem", "dynamodb:DescribeTable"]
    resources = [var.table_arn]
  }

  dynamic "statement" {
    for_each = var.follows_stream ? [1] : []

    content {
      sid     = "FollowTheStream"
      actions = ["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"]
      # A stream's label is the time at which it was switched on. A table has one stream at a time.
      resources = ["${var.table_arn}/stream/*"]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name = "work"
  # Not the name, which a replaced role keeps although its policies are deleted.
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}
