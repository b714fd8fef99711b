# A slice: one Standard execution of a distributed Map, with a child execution for each segment. The journal, not the execution,
# records progress, so the Map tolerates failures and discards results, and the reconciler starts a new slice for the remaining
# segments. Keys and items never enter the execution.

locals {
  location = var.function.location

  # Built, not referenced, so that the definition is known at plan, where the provider validates it with AWS.
  function_arn = "arn:${local.location.partition}:lambda:${local.location.region}:${local.location.account_id}:function:${var.names.backfill}"

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
          FunctionName = local.function_arn
          "Payload.$"  = "$"
        }
        # An invocation whose response is lost times out instead of keeping the slice open. A cold start needs time as well.
        TimeoutSeconds = var.settings.timeout_seconds + 60
        ResultSelector = { "next.$" = "$.Payload.next" }
        ResultPath     = "$.result"
        Retry          = [merge(module.retries.capacity, { MaxAttempts = local.capacity_attempts }), module.retries.service, module.retries.failed]
        Next           = "More"
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

module "retries" {
  source = "../retries"
}

module "state_machine" {
  source = "../machine"

  function     = var.function
  name         = var.names.state_machine
  description  = "Runs the slices of the backfill."
  function_arn = local.function_arn
  invoked_arn  = module.function.arn
  definition   = jsonencode(local.definition)
}
