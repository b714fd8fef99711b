# A verification: both scans as a distributed Map over the segments, then rechecks of the keys that differ under writes. The
# journal records progress, so the Maps tolerate failures, and the function says what is next. Keys and items never enter the
# execution.

locals {
  location = var.function.location

  # Built, not referenced, so that the definition is known at plan, where the provider validates it with AWS.
  function_arn = "arn:${local.location.partition}:lambda:${local.location.region}:${local.location.account_id}:function:${var.names.verifier}"

  invocation = {
    Type     = "Task"
    Resource = "arn:${local.location.partition}:states:::lambda:invoke"
    # An invocation whose response is lost times out. A cold start needs time as well.
    TimeoutSeconds = var.settings.timeout_seconds + 60
    Retry          = [module.retries.capacity, module.retries.service, module.retries.failed]
  }

  # State names are unique in the whole machine, including the Maps. The function returns "continue" (out of time, more to
  # compare), "done" or "stop" (the verification has ended).
  segments = {
    for map, worker in { Scan = "Compare", Recheck = "CompareAgain" } : map => {
      StartAt                 = worker
      States = {
        (worker) = merge(local.invocation, {
          Parameters     = { FunctionName = local.function_arn, "Payload.$" = "$" }
          ResultSelector = { "next.$" = "$.Payload.next" }
          ResultPath     = "$.result"
          Next           = "After${worker}"
        })
        "After${worker}" = {
          Type    = "Choice"
          Choices = [{ Variable = "$.result.next", StringEquals = "continue", Next = worker }]
          Default = "End${worker}"
        }
        "End${worker}" = {
          Type   = "Pass"
          Result = {}
          End    = true
        }
      }
    }
  }

  maps = {
    for map, selector in {
      Scan    = {}
      Recheck = { "generation.$" = "$.step.generation" }
      } : map => {
      Type = "Map"
      # Part of the child executions' ARNs. Without it AWS generates one.
      Label                      = map
      ItemsPath                  = "$.segments"
      ItemSelector               = merge({ "verification.$" = "$.verification", "segment.$" = "$$.Map.Item.Value" }, selector)
      MaxConcurrency             = var.settings.concurrency
      ToleratedFailurePercentage = 100
      ItemProcessor              = merge(local.segments[map], { ProcessorConfig = { Mode = "DISTRIBUTED", ExecutionType = "STANDARD" } })
      ResultPath                 = null
      Next                       = "Advance"
    }
  }

  definition = {
    Comment = "Compares the segments of both tables."
    StartAt = "Advance"
    States = merge(local.maps, {
      Advance = merge(local.invocation, {
        Parameters     = { FunctionName = local.function_arn, Payload = { "verification.$" = "$.verification" } }
        ResultSelector = { "next.$" = "$.Payload.next", "seconds.$" = "$.Payload.seconds", "generation.$" = "$.Payload.generation" }
        ResultPath     = "$.step"
        Next           = "Decide"
      })
      Decide = {
        Type = "Choice"
        Choices = [
          { Variable = "$.step.next", StringEquals = "wait", Next = "WaitForTracking" },
          { Variable = "$.step.next", StringEquals = "scan", Next = "Scan" },
          { Variable = "$.step.next", StringEquals = "recheck", Next = "WaitForChanges" },
        ]
        Default = "Ended"
      }
      WaitForTracking = {
        Type        = "Wait"
        SecondsPath = "$.step.seconds"
        Next        = "Advance"
      }
      WaitForChanges = {
        Type        = "Wait"
        SecondsPath = "$.step.seconds"
        Next        = "Recheck"
      }
      Ended = { Type = "Succeed" }
    })
  }
}

module "retries" {
  source = "../retries"
}

module "state_machine" {
  source = "../machine"

  function     = var.function
  name         = var.names.verification
  description  = "Runs the verifications."
  function_arn = local.function_arn
  invoked_arn  = module.function.arn
  definition   = jsonencode(local.definition)
}
