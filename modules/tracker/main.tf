# Verification of what is written: the function that notes the destination's changes, and rechecks the keys that were written on
# either side.

locals {
  # Built, not referenced, so that a plan shows the whole policy.
  function_arn = "arn:${var.function.location.partition}:lambda:${var.function.location.region}:${var.function.location.account_id}:function:${var.names.tracker}"
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "RecheckTheSource"
    actions   = ["dynamodb:BatchGetItem"]
    resources = [var.source_table_arn]
  }

  statement {
    sid       = "KeepTouchedKeys"
    actions   = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"]
    resources = [var.journal_arn]
  }

  statement {
    sid       = "FollowThroughTheDestinationRole"
    actions   = ["sts:AssumeRole"]
    resources = [var.destination_role_arn]
  }
}

module "function" {
  source = "../function"

  function = merge(var.function, {
    name            = var.names.tracker
    description     = "Notes and rechecks keys that are written."
    handler         = "tablecopy.handlers.tracker.handle"
    timeout_seconds = 120
    memory_mb       = var.settings.memory_mb
  })
  environment = merge(
    var.environment,
    {
      DESTINATION_ROLE_ARN      = var.destination_role_arn
      READ_CAPACITY             = var.settings.read_capacity == null ? "" : tostring(var.settings.read_capacity)
      DESTINATION_READ_CAPACITY = var.settings.destination_read_capacity == null ? "" : tostring(var.settings.destination_read_capacity)
    },
    # The AWS SDK takes the endpoint from this variable.
    { for url in compact([var.settings.streams_endpoint_url]) : "AWS_ENDPOINT_URL_DYNAMODB_STREAMS" => url },
  )
  policy_json = data.aws_iam_policy_document.this.json
}

module "schedule" {
  source = "../schedule"

  function     = var.function
  name         = var.names.tracking
  description  = "Calls the tracker every minute. It ends immediately unless keys are tracked."
  function_arn = local.function_arn
  invoked_arn  = module.function.arn
}

moved {
  from = aws_iam_role.schedule
  to   = module.schedule.aws_iam_role.this
}

moved {
  from = aws_iam_role_policy.schedule
  to   = module.schedule.aws_iam_role_policy.this
}

moved {
  from = aws_scheduler_schedule.this
  to   = module.schedule.aws_scheduler_schedule.this
}
