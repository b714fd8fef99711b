# What only AWS knows is checked at plan, before anything is made.

mock_provider "aws" {
  alias  = "source"
  source = "./tests/mocks/source"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./tests/mocks/destination"
}

variables {
  source_table = { name = "orders" }
}

run "stream_is_off" {
  command = plan

  override_data {
    target = data.aws_dynamodb_table.source
    values = {
      stream_enabled   = false
      stream_view_type = ""
      stream_arn       = ""
    }
  }

  expect_failures = [data.aws_dynamodb_table.source]
}

run "stream_has_keys_only" {
  command = plan

  override_data {
    target = data.aws_dynamodb_table.source
    values = {
      stream_enabled   = true
      stream_view_type = "KEYS_ONLY"
    }
  }

  expect_failures = [data.aws_dynamodb_table.source]
}

run "new_images_are_enough" {
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
      hash_key         = "id"
      range_key        = ""
      attribute        = [{ name = "id", type = "S" }]
    }
  }
}

run "onto_itself" {
  command = plan

  override_data {
    target = data.aws_caller_identity.destination
    values = { account_id = "111111111111" }
  }

  override_data {
    target = data.aws_service.destination
    values = { region = "eu-central-1" }
  }

  expect_failures = [terraform_data.record]
}

run "same_account_and_region_with_another_name" {
  command = plan

  variables {
    destination_table = { name = "orders-copy" }
  }

  override_data {
    target = data.aws_caller_identity.destination
    values = { account_id = "111111111111" }
  }

  override_data {
    target = data.aws_service.destination
    values = { region = "eu-central-1" }
  }
}

run "disabled_before_there_is_a_copy" {
  command = plan

  variables {
    enabled = false
  }

  expect_failures = [terraform_data.record]
}

run "source_does_not_exist" {
  command = plan

  variables {
    source_table = { name = "order" }
  }

  expect_failures = [data.aws_dynamodb_tables.source]
}

run "there_is_no_table_at_all" {
  command = plan

  override_data {
    target = data.aws_dynamodb_tables.source
    values = { names = null }
  }

  expect_failures = [data.aws_dynamodb_tables.source]
}
