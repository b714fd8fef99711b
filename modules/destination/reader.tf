# The verifier's role: it reads the items and writes nothing. The other role writes and reads no item.

locals {
  reader_count = var.enabled && var.reader != null ? 1 : 0
}

data "aws_iam_policy_document" "reader_trust" {
  count = local.reader_count

  statement {
    sid     = "TheVerifierOfThisCopy"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [var.reader.trusted_role_arn]
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

resource "aws_iam_role" "reader" {
  count = local.reader_count

  name                 = var.reader.name
  path                 = var.role.path
  permissions_boundary = var.role.permissions_boundary_arn
  description          = "Reads the items of ${var.table_name} to compare them."
  assume_role_policy   = data.aws_iam_policy_document.reader_trust[0].json
  tags                 = var.tags
}

data "aws_iam_policy_document" "reader" {
  count = local.reader_count

  source_policy_documents = [data.aws_iam_policy_document.key[0].json]

  statement {
    sid       = "ReadItems"
    actions   = ["dynamodb:Scan", "dynamodb:BatchGetItem", "dynamodb:DescribeTable"]
    resources = [local.table_arn]
  }
}

resource "aws_iam_role_policy" "reader" {
  count = local.reader_count

  name = "work"
  # Not the name, which a replaced role keeps although its policies are deleted.
  role   = aws_iam_role.reader[0].id
  policy = data.aws_iam_policy_document.reader[0].json
}
