data "aws_iam_policy_document" "trust" {
  count = var.enabled ? 1 : 0

  statement {
    sid     = "TheFunctionsOfThisCopy"
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

    # The principals above imply it, but AWS stores them as ids. This condition stays readable.
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalAccount"
      values   = [var.role.trusted_account_id]
    }
  }
}

resource "aws_iam_role" "this" {
  count = var.enabled ? 1 : 0

  name                 = var.role.name
  path                 = var.role.path
  permissions_boundary = var.role.permissions_boundary_arn
  description          = "Writes copied items to ${var.table_name}."
  assume_role_policy   = data.aws_iam_policy_document.trust[0].json
  tags                 = var.tags

  lifecycle {
    # A table with another key must not be written to.
    precondition {
      condition     = local.existing == null || local.existing_key == local.source_key
      error_message = <<-EOT
        The destination table "${var.table_name}" has the key ${coalesce(local.existing_key, "?")}, but the source table has the key ${local.source_key}. Items cannot be copied between tables with different keys, and the key of a table cannot be changed.
        Set another destination_table.name. If you no longer need this table and its data, delete it with the destination's credentials, and set destination_table.create = true:
          aws dynamodb delete-table --region ${data.aws_service.current.region} --table-name ${var.table_name}
      EOT
    }
  }
}

data "aws_iam_policy_document" "this" {
  count = var.enabled ? 1 : 0

  source_policy_documents = [data.aws_iam_policy_document.key[0].json]

  statement {
    sid       = "WriteItems"
    actions   = ["dynamodb:BatchWriteItem"]
    resources = [local.table_arn]
  }

  statement {
    sid       = "CheckTheTable"
    actions   = ["dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"]
    resources = [local.table_arn]
  }

  statement {
    sid       = "SeeWhetherTheTableIsEmpty"
    actions   = ["dynamodb:Scan"]
    resources = [local.table_arn]

    # Only the number of items, never an item.
    condition {
      test     = "StringEquals"
      variable = "dynamodb:Select"
      values   = ["COUNT"]
    }
  }
}

# Of both roles.
data "aws_iam_policy_document" "key" {
  count = var.enabled ? 1 : 0

  # DynamoDB decrypts a table with the permissions of its caller.
  dynamic "statement" {
    for_each = local.kms_key_arns

    content {
      sid       = "OpenTheTableUnderItsKey"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        # AWS does not document which of its suffixes names the service in China.
        values = [for suffix in var.location.partition == "aws-cn" ? ["com", "com.cn"] : ["com"] : "dynamodb.${data.aws_service.current.region}.amazonaws.${suffix}"]
      }
    }
  }
}

resource "aws_iam_role_policy" "this" {
  count = var.enabled ? 1 : 0

  name = "work"
  # Not the name, which a replaced role keeps although its policies are deleted.
  role   = aws_iam_role.this[0].id
  policy = data.aws_iam_policy_document.this[0].json
}
