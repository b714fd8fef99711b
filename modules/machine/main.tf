# A Standard state machine that invokes one function from a distributed Map, and its role.

locals {
  location   = var.function.location
  states_arn = "arn:${local.location.partition}:states:${local.location.region}:${local.location.account_id}"

  # Built, not referenced, because the role must be able to start the Map before the machine exists.
  state_machine_arn = "${local.states_arn}:stateMachine:${var.name}"
  executions        = "${local.states_arn}:execution:${var.name}"
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "StepFunctionsRunsTheMachine"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.location.account_id]
    }

    # The Map's child executions have the machine's ARN followed by the Map's label.
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.state_machine_arn, "${local.state_machine_arn}/*"]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  path                 = var.function.role.path
  permissions_boundary = var.function.role.permissions_boundary_arn
  description          = var.description
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  tags                 = var.function.tags
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "InvokeTheWorker"
    actions   = ["lambda:InvokeFunction"]
    resources = [var.function_arn]
  }

  statement {
    sid       = "StartTheMapsChildren"
    actions   = ["states:StartExecution"]
    resources = [local.state_machine_arn]
  }

  statement {
    sid     = "FollowTheMapsChildren"
    actions = ["states:DescribeExecution", "states:StopExecution"]
    # `:*` stands for this machine's executions, and `/*` for the child executions, which Step Functions names machine/label:id.
    resources = ["${local.executions}:*", "${local.executions}/*"]
  }
}

resource "aws_iam_role_policy" "this" {
  name = "work"
  # Not the name, which a replaced role keeps although its policies are deleted.
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_sfn_state_machine" "this" {
  #checkov:skip=CKV_AWS_284:Tracing requires a permission on all resources, and an execution has few steps.
  #checkov:skip=CKV_AWS_285:Log delivery requires permissions on all resources of CloudWatch Logs. Step Functions keeps each execution's history for 90 days, the workers have a log, and the journal records progress.

  name       = var.name
  type       = "STANDARD"
  role_arn   = aws_iam_role.this.arn
  definition = var.definition
  tags       = var.function.tags

  # The definition does not reference the function, and a machine must not start without it.
  depends_on = [aws_iam_role_policy.this, var.invoked_arn]
}
