# A slice: one Standard execution of a distributed Map, with a child execution for each segment. The journal, not the execution,
# records progress, so the Map tolerates failures and discards results, and the reconciler starts a new slice for the remaining
# segments. Keys and items never enter the execution.

locals {
  location   = var.function.location
  states_arn = "arn:${local.location.partition}:states:${local.location.region}:${local.location.account_id}"

  # Built, not referenced, because the role must be able to start the Map before the machine exists.
  state_machine_arn = "${local.states_arn}:stateMachine:${var.names.state_machine}"
  executions        = "${local.states_arn}:execution:${var.names.state_machine}"
  function_arn      = "arn:${local.location.partition}:lambda:${local.location.region}:${local.location.account_id}:function:${var.names.backfill}"

  # An invocation without capacity is retried until the slice ends. With full jitter the mean delay is half of the longest one.
  # Twenty more attempts cover the short delays at the beginning.
  longest_delay     = 30
  capacity_attempts = ceil(var.settings.slice_seconds / (local.longest_delay / 2)) + 20

  # State names are unique in the whole machine, including the Map, because AWS rejects duplicates.
  # The function returns "continue" (out of time, more to scan), "wait" (a former worker's lease is alive), "done" or
  # "stop" (the slice is over).
  segment = {
    StartAt = "Scan"
    States = {
      Scan = {
        Type     = "Task"
        Resource = "arn:${local.location.partition}:states:::lambda:invoke"
        Parameters = {
          # Built, not referenced, so that the definition is known at plan, where the provider validates it with AWS.
          FunctionName = local.function_arn
          "Payload.$"  = "$"
        }
        # An invocation whose response is lost times out instead of keeping the slice open. A cold start needs time as well.
        TimeoutSeconds = var.settings.timeout_seconds + 60
        ResultSelector = { "next.$" = "$.Payload.next" }
        ResultPath     = "$.result"
        Retry = [
          {
            # Lambda has no capacity for another worker at present.
            ErrorEquals = [
              "Lambda.TooManyRequestsException",
              "Lambda.EC2ThrottledException",
              "Lambda.ENILimitReachedException",
              "Lambda.ENINotReadyException",
              "Lambda.SubnetIPAddressLimitReachedException",
              "Lambda.ResourceNotReadyException",
            ]
            IntervalSeconds = 1
            BackoffRate     = 2
            MaxAttempts     = local.capacity_attempts
            MaxDelaySeconds = local.longest_delay
            JitterStrategy  = "FULL"
          },
          {
            # Lambda itself failed. The last error also stands for a missing permission, which waiting does not fix.
            ErrorEquals = [
              "Lambda.ClientExecutionTimeoutException",
              "Lambda.ServiceException",
              "Lambda.SdkClientException",
              "Lambda.AWSLambdaException",
            ]
            IntervalSeconds = 1
            BackoffRate     = 2
            MaxAttempts     = 8
            MaxDelaySeconds = 60
            JitterStrategy  = "FULL"
          },
          {
            # The function failed, ran out of memory (Lambda.Unknown) or timed out (Sandbox.Timedout). States.TaskFailed
            # matches every error except States.Timeout. The checkpoint is in the journal, so a retry is safe.
            ErrorEquals     = ["States.TaskFailed", "States.Timeout"]
            IntervalSeconds = 2
            BackoffRate     = 2
            MaxAttempts     = 4
            MaxDelaySeconds = 60
            JitterStrategy  = "FULL"
          },
        ]
        Next = "More"
      }
      More = {
        Type = "Choice"
        Choices = [
          { Variable = "$.result.next", StringEquals = "continue", Next = "Scan" },
          { Variable = "$.result.next", StringEquals = "wait", Next = "Wait" },
        ]
        Default = "EndSegment"
      }
      Wait = {
        Type    = "Wait"
        Seconds = 5
        Next    = "Scan"
      }
      EndSegment = {
        Type   = "Pass"
        Result = {}
        End    = true
      }
    }
  }

  definition = {
    Comment = "Scans the segments of one slice of the backfill."
    # Workers stop at the slice's deadline, which the last one may reach just after its start. Five minutes more as a margin.
    TimeoutSeconds = var.settings.slice_seconds + var.settings.timeout_seconds + 300
    StartAt        = "Segments"
    States = {
      Segments = {
        Type = "Map"
        # Part of the child executions' ARNs. Without it AWS generates one.
        Label     = "Segments"
        ItemsPath = "$.segments"
        ItemSelector = {
          "run.$"     = "$.run"
          "slice.$"   = "$.slice"
          "segment.$" = "$$.Map.Item.Value"
        }
        MaxConcurrency             = var.settings.concurrency
        ToleratedFailurePercentage = 100
        ItemProcessor = merge(local.segment, {
          ProcessorConfig = { Mode = "DISTRIBUTED", ExecutionType = "STANDARD" }
        })
        ResultPath = null
        End        = true
      }
    }
  }
}

data "aws_iam_policy_document" "state_machine_trust" {
  statement {
    sid     = "StepFunctionsRunsTheSlices"
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

resource "aws_iam_role" "state_machine" {
  name                 = var.names.state_machine
  path                 = var.function.role.path
  permissions_boundary = var.function.role.permissions_boundary_arn
  description          = "Runs the slices of the backfill."
  assume_role_policy   = data.aws_iam_policy_document.state_machine_trust.json
  tags                 = var.function.tags
}

data "aws_iam_policy_document" "state_machine" {
  statement {
    sid       = "InvokeTheWorker"
    actions   = ["lambda:InvokeFunction"]
    resources = [local.function_arn]
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

resource "aws_iam_role_policy" "state_machine" {
  name = "work"
  # Not the name, which a replaced role keeps although its policies are deleted.
  role   = aws_iam_role.state_machine.id
  policy = data.aws_iam_policy_document.state_machine.json
}

resource "aws_sfn_state_machine" "this" {
  #checkov:skip=CKV_AWS_284:Tracing requires a permission on all resources, and a slice has one step.
  #checkov:skip=CKV_AWS_285:Log delivery requires permissions on all resources of CloudWatch Logs. Step Functions keeps each execution's history for 90 days, the workers have a log, and the journal records progress.

  name       = var.names.state_machine
  type       = "STANDARD"
  role_arn   = aws_iam_role.state_machine.arn
  definition = jsonencode(local.definition)
  tags       = var.function.tags

  # The definition does not reference the function, and a machine must not start without it.
  depends_on = [aws_iam_role_policy.state_machine, module.function]
}
