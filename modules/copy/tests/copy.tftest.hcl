# A copy's life: applied, looked at again while AWS reports something else, disabled, enabled again.

mock_provider "aws" {
  alias  = "source"
  source = "./tests/mocks/source"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./tests/mocks/destination"
}

variables {
  destination_definition = { warm_throughput = { read_units_per_second = 20000, write_units_per_second = 8000 } }

  source_table      = { name = "orders", profile = "old" }
  destination_table = { name = "orders-new", role_arn = "arn:aws:iam::222222222222:role/admin", external_id = "it's me" }
}

run "applied" {
  assert {
    condition = jsonencode(output.commands) == jsonencode({
      start           = "tablecopy start --control-function ${output.control_function_name} --source-region eu-central-1 --source-profile old"
      status          = "tablecopy status --control-function ${output.control_function_name} --source-region eu-central-1 --source-profile old"
      watch           = "tablecopy watch --control-function ${output.control_function_name} --source-region eu-central-1 --source-profile old"
      dead_letters    = "tablecopy dead-letters --control-function ${output.control_function_name} --source-region eu-central-1 --source-profile old"
      redrive         = "tablecopy redrive --control-function ${output.control_function_name} --source-region eu-central-1 --source-profile old"
      seal            = "tablecopy seal --control-function ${output.control_function_name} --source-region eu-central-1 --source-profile old"
      verify          = "verify --source orders --source-region eu-central-1 --source-profile old --destination orders-new --destination-region eu-west-1 --destination-role-arn arn:aws:iam::222222222222:role/admin --destination-external-id 'it'\\''s me' --control-function ${output.control_function_name}"
      time_to_live    = "aws dynamodb update-time-to-live --region eu-west-1 --table-name orders-new --time-to-live-specification 'Enabled=true,AttributeName=expires'"
      warm_throughput = "aws dynamodb update-table --region eu-west-1 --table-name orders-new --warm-throughput '{\"ReadUnitsPerSecond\":20000,\"WriteUnitsPerSecond\":8000}' --global-secondary-index-updates '[{\"Update\":{\"IndexName\":\"by-state\",\"WarmThroughput\":{\"ReadUnitsPerSecond\":20000,\"WriteUnitsPerSecond\":8000}}}]'"
      auto_scaling    = "aws application-autoscaling describe-scalable-targets --region eu-central-1 --profile old --service-namespace dynamodb --resource-ids table/orders table/orders/index/by-state"
      cutover = [
        "${output.commands.watch} --until ready",
        "${output.commands.verify} --writes-stopped",
        output.commands.seal,
        output.commands.time_to_live,
      ]
    })
    error_message = "The commands are not ready to paste: ${jsonencode(output.commands)}"
  }

  assert {
    condition = jsonencode(output.tables) == jsonencode({
      source      = { table_name = "orders", region = "eu-central-1", profile = "old", role_arn = null, external_id = null }
      destination = { table_name = "orders-new", region = "eu-west-1", profile = null, role_arn = "arn:aws:iam::222222222222:role/admin", external_id = "it's me", writer_role_arn = output.destination_role_arn }
    })
    error_message = "verify needs both sides: ${jsonencode(output.tables)}"
  }

  assert {
    condition     = local.start_on_apply
    error_message = "The first journal's run starts by itself."
  }

  assert {
    condition = (
      output.verifier_function_name == null && output.verifier_function_arn == null
      && output.verification_state_machine_arn == null && output.reading_role_arn == null
      && !contains(keys(output.function_role_arns), "verifier")
    )
    error_message = "A verification is opt-in: without it, nothing of it exists."
  }
}

# Another definition, and another order of things, make no difference to a copy that exists.
run "source_has_another_definition_now" {
  command = plan

  override_data {
    target = data.aws_dynamodb_table.source
    values = {
      arn              = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders"
      stream_arn       = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders/stream/2026-01-01T00:00:00.000"
      stream_enabled   = true
      stream_view_type = "NEW_IMAGE"
      table_class      = "STANDARD"
      billing_mode     = "PAY_PER_REQUEST"
      hash_key         = "customer"
      range_key        = "number"
      attribute        = [{ name = "customer", type = "S" }, { name = "number", type = "N" }]
    }
  }

  assert {
    condition     = terraform_data.definition.input.billing_mode == "PROVISIONED"
    error_message = "The record of the source must not change."
  }

  # A warning: the copy continues.
  expect_failures = [check.source_definition]
}

run "source_was_created_again_with_another_key" {
  command = plan

  override_data {
    target = data.aws_dynamodb_table.source
    values = {
      arn              = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders"
      stream_arn       = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders/stream/2026-02-02T00:00:00.000"
      stream_enabled   = true
      stream_view_type = "NEW_IMAGE"
      table_class      = "STANDARD"
      billing_mode     = "PAY_PER_REQUEST"
      hash_key         = "id"
      range_key        = ""
      attribute        = [{ name = "id", type = "S" }]
    }
  }

  expect_failures = [terraform_data.tables]
}

# Running or not, a copy keeps its tables.
run "destination_has_another_name" {
  command = plan

  variables {
    destination_table = { name = "orders-newer" }
  }

  expect_failures = [terraform_data.tables]
}

run "source_has_another_name" {
  command = plan

  variables {
    source_table = { name = "secrets" }
  }

  expect_failures = [terraform_data.tables]
}

run "source_is_gone" {
  command = plan

  override_data {
    target = data.aws_dynamodb_tables.source
    values = { names = ["others"] }
  }

  expect_failures = [data.aws_dynamodb_tables.source]
}

run "stream_was_turned_off_and_on" {
  command = plan

  override_data {
    target = data.aws_dynamodb_table.source
    values = {
      arn              = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders"
      stream_arn       = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders/stream/2026-02-02T00:00:00.000"
      stream_enabled   = true
      stream_view_type = "NEW_AND_OLD_IMAGES"
      table_class      = "STANDARD"
      billing_mode     = "PROVISIONED"
      hash_key         = "customer"
      range_key        = "number"
      attribute        = [{ name = "customer", type = "S" }, { name = "number", type = "N" }]
    }
  }

  expect_failures = [terraform_data.record]
}

run "provider_leads_to_another_account" {
  command = plan

  override_data {
    target = data.aws_caller_identity.destination
    values = { account_id = "333333333333" }
  }

  expect_failures = [terraform_data.record]
}

run "disabled" {
  variables {
    enabled = false
  }

  assert {
    condition = alltrue([for value in [
      output.commands.start,
      output.commands.status,
      output.commands.watch,
      output.commands.cutover,
      output.commands.dead_letters,
      output.commands.redrive,
      output.commands.seal,
      output.destination_role_arn,
      output.journal_table_name,
      output.journal_table_arn,
      output.replicator_function_name,
      output.replicator_function_arn,
      output.event_source_mapping_uuid,
      output.failure_queue_url,
      output.failure_queue_arn,
      output.backfill_function_name,
      output.backfill_function_arn,
      output.state_machine_arn,
      output.control_function_name,
      output.control_function_arn,
      output.reconciler_function_name,
      output.reconciler_function_arn,
      output.verifier_function_name,
      output.verifier_function_arn,
      output.verification_state_machine_arn,
      output.reading_role_arn,
    ] : value == null])
    error_message = "A disabled copy must leave nothing but the table."
  }

  assert {
    condition     = output.destination_table_arn == run.applied.destination_table_arn && startswith(run.applied.commands.verify, output.commands.verify)
    error_message = "The destination table must stay, and can still be compared."
  }

  assert {
    condition     = length(data.aws_dynamodb_table.source) == 0
    error_message = "The source table may be gone: it must not be read."
  }
}

run "enabled_again" {
  assert {
    condition     = output.control_function_name == run.applied.control_function_name && output.destination_table_arn == run.applied.destination_table_arn
    error_message = "The copy must come back under its names, with its table."
  }

  assert {
    condition     = !local.start_on_apply
    error_message = "A second journal's run must wait for a command: the destination may have been cut over."
  }
}

run "everything_is_given" {
  command = plan

  variables {
    backfill   = { segments = 4, concurrency = 16, reserved_concurrency = 5 }
    replicator = { reserved_concurrency = 1 }
    control    = { reserved_concurrency = 1 }

    external_id = "orders-move-2026"
  }

  assert {
    condition     = local.external_id == "orders-move-2026"
    error_message = "A given external id takes the place of the generated one."
  }

  assert {
    condition     = local.unreserved_concurrency == 1
    error_message = "With everything reserved only the function that answers operators takes of what is left to all."
  }

  assert {
    condition     = output.settings.backfill.segments == 4 && output.settings.replicator.batching_window_seconds == 1
    error_message = "The estimate of an applied copy calculates with its settings."
  }
}

run "with_verification" {
  variables {
    verification = { enabled = true }
  }

  assert {
    condition = (
      endswith(output.verifier_function_name, "-verifier") && output.verifier_function_arn != null
      && output.verification_state_machine_arn != null && output.reading_role_arn != null
      && contains(keys(output.function_role_arns), "verifier")
    )
    error_message = "The verifier, its state machine and the reading role have outputs: ${jsonencode(output.function_role_arns)}"
  }

  assert {
    condition = jsonencode(output.commands.cutover) == jsonencode([
      "${output.commands.verify} --in-account",
      "tablecopy cutover${trimprefix(output.commands.seal, "tablecopy seal")}",
      output.commands.time_to_live,
    ])
    error_message = "The cutover has a command of its own: ${jsonencode(output.commands.cutover)}"
  }
}

run "disabled_with_verification" {
  variables {
    enabled      = false
    verification = { enabled = true }
  }

  assert {
    condition = (
      output.verifier_function_name == null && output.verification_state_machine_arn == null
      && output.reading_role_arn == null && !contains(keys(output.function_role_arns), "verifier")
    )
    error_message = "A disabled copy must leave nothing but the table."
  }
}
