# A function, its log group and its role: what replicator, backfill and control share.

locals {
  package = "${path.module}/../../lambda/dist/tablecopy.zip"

  # Built, not referenced, here and where else a policy names what it is made together with: known at plan, so a plan
  # shows whole policies, and nothing waits for it.
  log_group     = "/aws/lambda/${var.function.name}"
  log_group_arn = "arn:${var.function.location.partition}:logs:${var.function.location.region}:${var.function.location.account_id}:log-group:${local.log_group}"
  function_arn  = "arn:${var.function.location.partition}:lambda:${var.function.location.region}:${var.function.location.account_id}:function:${var.function.name}"
  ec2_arn       = "arn:${var.function.location.partition}:ec2:${var.function.location.region}:${var.function.location.account_id}"

  # A subnet, and a group, may be shared by another account, which its ARN then names.
  shared_ec2_arn = "arn:${var.function.location.partition}:ec2:${var.function.location.region}:*"
}

data "aws_cloudwatch_log_groups" "here" {
  log_group_name_prefix = local.log_group
}

# Whether the name was free when the function was first planned. Otherwise the apply would fail halfway.
resource "terraform_data" "absent" {
  input            = !contains(coalesce(data.aws_cloudwatch_log_groups.here.log_group_names, toset([])), local.log_group)
  triggers_replace = [local.log_group]

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.input
      error_message = <<-EOT
        The log group "${local.log_group}" already exists in account ${var.function.location.account_id}, region ${var.function.location.region}: something is left of an earlier copy of these tables.
        Save the log if you need it, then delete it with the source's credentials:
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

    # No aws:SourceArn and no aws:SourceAccount: AWS does not document that Lambda sends them when it assumes an execution
    # role, least of all to make network interfaces or for the poller of an event source mapping, and a function whose role
    # asks for what is not sent never starts. A role can be passed within its own account only, and only by who may.
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
  source_policy_documents = [var.policy_json]

  statement {
    sid     = "WriteOwnLog"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    # `:*` stands for the streams of this one group; Lambda names them.
    resources = ["${local.log_group_arn}:*"]
  }

  # DynamoDB opens a table under a KMS key in the name of its caller.
  dynamic "statement" {
    for_each = length(var.function.table_key_arns) == 0 ? [] : [var.function.table_key_arns]

    content {
      sid       = "OpenTablesUnderTheSourceKey"
      actions   = ["kms:Decrypt"]
      resources = statement.value

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        # In China a service is named by its endpoint, or as elsewhere: AWS does not document which.
        values = [
          for suffix in var.function.location.partition == "aws-cn" ? ["com", "com.cn"] : ["com"] :
          "dynamodb.${var.function.location.region}.amazonaws.${suffix}"
        ]
      }
    }
  }

  # What Lambda wants of the role of a function in a VPC; it makes the network interfaces in the role's name.
  dynamic "statement" {
    for_each = var.function.vpc == null ? [] : [var.function.vpc]

    content {
      sid     = "LambdaMakesNetworkInterfaces"
      actions = ["ec2:CreateNetworkInterface"]
      resources = concat(
        # `*` stands for an interface yet to be made.
        ["${local.ec2_arn}:network-interface/*"],
        [for id in statement.value.subnet_ids : "${local.shared_ec2_arn}:subnet/${id}"],
        [for id in statement.value.security_group_ids : "${local.shared_ec2_arn}:security-group/${id}"],
      )
    }
  }

  dynamic "statement" {
    for_each = var.function.vpc == null ? [] : [var.function.vpc]

    content {
      sid     = "LambdaRemovesNetworkInterfaces"
      actions = ["ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
      # Lambda gives the interfaces their ids, and refuses a role that may not delete all of this account and region.
      resources = ["${local.ec2_arn}:*/*"]
    }
  }

  dynamic "statement" {
    for_each = var.function.vpc == null ? [] : [var.function.vpc]

    content {
      sid     = "LambdaFindsNetworkInterfaces"
      actions = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
      # The API knows no resource for these actions.
      resources = ["*"]
    }
  }

  # Lambda's own calls do not carry the function's ARN, calls of the code in it do:
  # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
  dynamic "statement" {
    for_each = var.function.vpc == null ? [] : [var.function.vpc]

    content {
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
      # Whatever the statements above allow.
      resources = ["*"]

      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = [local.function_arn]
      }
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name = "work"
  # Not the name, which a replaced role keeps: its policies go with the old one.
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Tracing wants a permission on all resources, and would tell less than the metrics and the journal do.
  #checkov:skip=CKV_AWS_116:Nothing is lost with an invocation that fails. The mapping has the failure queue, Step Functions waits for its answer, and the schedule calls again after a minute.
  #checkov:skip=CKV_AWS_272:The package comes with the module, and the plan shows its hash. A signing profile would have to be the caller's, and so would the build.

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

  # The role needs no permission for it: Lambda makes a grant on the key, in the name of whoever applies.
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

  # Otherwise Lambda makes the log group itself, without retention, and the first invocations are denied.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}
