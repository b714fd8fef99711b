# A slice's state machine. With a mocked provider: the real one asks AWS whether a definition is valid.

mock_provider "aws" {
  source = "./modules/copy/tests/mocks/source"
}

run "slice" {
  command = plan

  module {
    source = "./modules/backfill"
  }

  variables {
    name                 = "tablecopy-orders-0123abcd"
    place                = { partition = "aws-cn", account_id = "111111111111", region = "cn-north-1" }
    journal_arn          = "arn:aws-cn:dynamodb:cn-north-1:111111111111:table/journal"
    source_table_arn     = "arn:aws-cn:dynamodb:cn-north-1:111111111111:table/orders"
    destination_role_arn = "arn:aws-cn:iam::222222222222:role/destination"
    architecture         = "arm64"
    log_retention_days   = 30
    role                 = { path = "/" }
    table_key_arns       = []
    environment          = {}
    state_machine_name   = "machine"
    settings             = { concurrency = 8, slice_seconds = 3600, timeout_seconds = 300, memory_mb = 512 }
  }

  override_resource {
    target          = module.function.aws_lambda_function.this
    override_during = plan
    values          = { arn = "arn:aws-cn:lambda:cn-north-1:111111111111:function:backfill" }
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).TimeoutSeconds == 4200
    error_message = "A slice must end by itself: its length, a worker's timeout, five minutes."
  }

  assert {
    condition = (
      aws_sfn_state_machine.this.type == "STANDARD"
      && jsondecode(aws_sfn_state_machine.this.definition).States.Segments.ItemProcessor.ProcessorConfig == { Mode = "DISTRIBUTED", ExecutionType = "STANDARD" }
      && jsondecode(aws_sfn_state_machine.this.definition).States.Segments.MaxConcurrency == 8
      && jsondecode(aws_sfn_state_machine.this.definition).States.Segments.ToleratedFailurePercentage == 100
    )
    error_message = "A slice is a Standard execution of a distributed map that tolerates failed segments."
  }

  assert {
    condition = jsondecode(aws_sfn_state_machine.this.definition).States.Segments.ItemSelector == {
      "run.$" = "$.run", "slice.$" = "$.slice", "segment.$" = "$$.Map.Item.Value"
    }
    error_message = "A worker is told run, slice and segment, and nothing else."
  }

  assert {
    condition     = startswith(jsondecode(aws_sfn_state_machine.this.definition).States.Segments.ItemProcessor.States.Scan.Resource, "arn:aws-cn:")
    error_message = "The partition comes from the place."
  }
}
