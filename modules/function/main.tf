# A function, its log group and its role.

locals {
  package = "${path.module}/../../lambda/dist/tablecopy.zip"

  # Built, not referenced, so that a plan shows whole policies and nothing waits for the resources.
  log_group     = "/aws/lambda/${var.function.name}"
  log_group_arn = "arn:${var.function.location.partition}:logs:${var.function.location.region}:${var.function.location.account_id}:log-group:${local.log_group}"
  function_arn  = "arn:${var.function.location.partition}:lambda:${var.function.location.region}:${var.function.location.account_id}:function:${var.function.name}"
  ec2_arn       = "arn:${var.function.location.partition}:ec2:${var.function.location.region}:${var.function.location.account_id}"

  # Another account may share a subnet or a group, and its ARN then names that account.
  shared_ec2_arn = "arn:${var.function.location.partition}:ec2:${var.function.location.region}:*"
}

data "aws_cloudwatch_log_groups" "here" {
  log_group_name_prefix = local.log_group
}

# Whether the name was free at the first plan. Otherwise the apply would fail halfway.
resource "terraform_data" "absent" {
  input            = !contains(coalesce(data.aws_cloudwatch_log_groups.here.log_group_names, toset([])), local.log_group)
  triggers_replace = [local.log_group]

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.input
      error_message = <<-EOT
        The log group "${local.log_group}" already exists in account ${var.function.location.account_id}, region ${var.function.location.region}. It is left from an earlier copy of these tables.
        Save the log if you need it. Then delete it with the source's credentials:
          aws logs delete-log-group --region ${var.function.location.region} --log-group-name ${local.log_group}
      EOT
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = var.function.log_retention_days
  kms_key_id        = var.function.kms_key_arn
  tags              = var.function.tags

  depends_on = [terraform_data.absent]
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "LambdaRunsTheFunction"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }

    # No aws:SourceArn and no aws:SourceAccount, because AWS does not document that Lambda sends them for each use of an
    # execution role, and a function whose role requires a missing one never starts. A role can be passed only within its own
    # account, by principals with that permission.
  }
}

resource "aws_iam_role" "this" {
  name                 = var.function.name
  path                 = var.function.role.path
  permissions_boundary = var.function.role.permissions_boundary_arn
  description          = var.function.description
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  tags                 = var.function.tags
}

data "aws_iam_policy_document" "this" {
  source_policy_documents = concat([var.policy_json], data.aws_iam_policy_document.vpc[*].json)

  statement {
    sid     = "WriteOwnLog"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    # `:*` stands for the streams of this group, which Lambda names.
    resources = ["${local.log_group_arn}:*"]
  }

  # DynamoDB decrypts a table with the permissions of its caller.
  dynamic "statement" {
    for_each = length(var.function.table_key_arns) == 0 ? [] : [var.function.table_key_arns]

    content {
      sid       = "OpenTablesUnderTheSourceKey"
      actions   = ["kms:Decrypt"]
      resources = statement.value

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        # AWS does not document which of its suffixes names the service in China.
        values = [for suffix in var.function.location.partition == "aws-cn" ? ["com", "com.cn"] : ["com"] : "dynamodb.${var.function.location.region}.amazonaws.${suffix}"]
      }
    }
  }
}

# Permissions that Lambda requires of the role of a function in a VPC. Lambda creates the network interfaces with them.
data "aws_iam_policy_document" "vpc" {
  count = var.function.vpc == null ? 0 : 1

  statement {
    sid     = "LambdaMakesNetworkInterfaces"
    actions = ["ec2:CreateNetworkInterface"]
    resources = concat(
      # `*` stands for an interface that does not exist yet.
      ["${local.ec2_arn}:network-interface/*"],
      [for id in var.function.vpc.subnet_ids : "${local.shared_ec2_arn}:subnet/${id}"],
      [for id in var.function.vpc.security_group_ids : "${local.shared_ec2_arn}:security-group/${id}"],
    )
  }

  statement {
    sid     = "LambdaRemovesNetworkInterfaces"
    actions = ["ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
    # Lambda generates the interfaces' ids, and rejects a role without this permission on the whole account and region.
    resources = ["${local.ec2_arn}:*/*"]
  }

  statement {
    sid     = "LambdaFindsNetworkInterfaces"
    actions = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
    # The API has no resource for these actions.
    resources = ["*"]
  }

  # Lambda's own calls do not carry the function's ARN, but calls of the function's code do:
  # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
  statement {
    sid    = "TheCodeItselfMustNot"
    effect = "Deny"
    actions = [
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:AssignPrivateIpAddresses",
      "ec2:UnassignPrivateIpAddresses",
    ]
    # All resources of the statements above.
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "lambda:SourceFunctionArn"
      values   = [local.function_arn]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name = "work"
  # Not the name, which a replaced role keeps although its policies are deleted.
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Tracing requires a permission on all resources, and would show less than the metrics and the journal.
  #checkov:skip=CKV_AWS_116:A failed invocation loses nothing. The mapping has the failure queue, Step Functions waits for the result, and the schedule calls again after a minute.
  #checkov:skip=CKV_AWS_272:The package is part of the module, and the plan shows its hash. With a signing profile, the caller would have to sign and build it.

  function_name                  = var.function.name
  description                    = var.function.description
  role                           = aws_iam_role.this.arn
  filename                       = local.package
  source_code_hash               = filebase64sha256(local.package)
  handler                        = var.function.handler
  runtime                        = "python3.13"
  architectures                  = [var.function.architecture]
  timeout                        = var.function.timeout_seconds
  memory_size                    = var.function.memory_mb
  reserved_concurrent_executions = var.function.reserved_concurrency
  tags                           = var.function.tags

  # The role needs no permission for it: Lambda creates a grant on the key with the permissions of the person who applies.
  kms_key_arn = var.function.kms_key_arn

  environment {
    variables = var.environment
  }

  dynamic "vpc_config" {
    for_each = var.function.vpc == null ? [] : [var.function.vpc]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  # Otherwise Lambda creates the log group without retention, and the first invocations are denied.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}
