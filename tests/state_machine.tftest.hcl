# A slice's state machine. With a mocked provider: the real one asks AWS whether a definition is valid. Every assertion
# also shows that the definition is known at plan, where AWS is asked.

mock_provider "aws" {
  source = "./modules/copy/tests/mocks/source"
}

run "slice" {
  command = plan

  module {
    source = "./modules/backfill"
  }

  variables {
    function = {
      location           = { partition = "aws-cn", account_id = "111111111111", region = "cn-north-1" }
      table_key_arns     = []
      role               = { path = "/" }
      architecture       = "arm64"
      log_retention_days = 30
    }
    environment          = {}
    names                = { backfill = "tablecopy-orders-0123abcd", state_machine = "machine" }
    journal_arn          = "arn:aws-cn:dynamodb:cn-north-1:111111111111:table/journal"
    source_table_arn     = "arn:aws-cn:dynamodb:cn-north-1:111111111111:table/orders"
    destination_role_arn = "arn:aws-cn:iam::222222222222:role/destination"
    settings             = { concurrency = 8, slice_seconds = 3600, timeout_seconds = 300, memory_mb = 512 }
  }

  assert {
    condition     = local.definition.TimeoutSeconds == 4200
    error_message = "A slice must end by itself: its length, a worker's timeout, five minutes."
  }

  assert {
    condition = (
      local.definition.States.Segments.ItemProcessor.ProcessorConfig == { Mode = "DISTRIBUTED", ExecutionType = "STANDARD" }
      && local.definition.States.Segments.MaxConcurrency == 8
      && local.definition.States.Segments.ToleratedFailurePercentage == 100
    )
    error_message = "A slice is a Standard execution of a distributed map that tolerates failed segments."
  }

  assert {
    condition = local.definition.States.Segments.ItemSelector == {
      "run.$" = "$.run", "slice.$" = "$.slice", "segment.$" = "$$.Map.Item.Value"
    }
    error_message = "A worker is told run, slice and segment, and nothing else."
  }

  assert {
    condition     = startswith(local.definition.States.Segments.ItemProcessor.States.Scan.Resource, "arn:aws-cn:")
    error_message = "The partition comes from the place."
  }

  assert {
    condition = (
      local.definition.States.Segments.ItemProcessor.States.Scan.Parameters.FunctionName
      == "arn:aws-cn:lambda:cn-north-1:111111111111:function:tablecopy-orders-0123abcd"
    )
    error_message = "The worker's ARN is built: a reference would keep the definition unknown until the apply."
  }

  assert {
    condition = length(setintersection(
      keys(local.definition.States),
      keys(local.definition.States.Segments.ItemProcessor.States),
    )) == 0
    error_message = "AWS refuses a machine in which a state name appears twice, in the Map and outside of it."
  }

  assert {
    condition = (
      local.definition.States.Segments.Label == "Segments"
      && local.definition.States.Segments.End
    )
    error_message = "The map has a fixed label of at most 40 characters, and its end is the machine's."
  }

  assert {
    # With full jitter a delay is half of the longest one on average.
    condition = alltrue([
      for retry in local.definition.States.Segments.ItemProcessor.States.Scan.Retry :
      retry.MaxAttempts * retry.MaxDelaySeconds / 2 >= 3600
      if contains(retry.ErrorEquals, "Lambda.TooManyRequestsException")
    ])
    error_message = "A worker that finds no concurrency tries again until the slice ends, which is an hour here."
  }

  assert {
    condition = contains(flatten([
      for retry in local.definition.States.Segments.ItemProcessor.States.Scan.Retry :
      retry.ErrorEquals if contains(retry.ErrorEquals, "States.TaskFailed")
    ]), "States.Timeout")
    error_message = "States.TaskFailed does not match States.Timeout, which ends an invocation whose answer is lost."
  }
}
