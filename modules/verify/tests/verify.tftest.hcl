# A comparison without a copy: what it consists of, and what it refuses.

mock_provider "aws" {
  alias  = "source"
  source = "../copy/tests/mocks/source"
}

mock_provider "aws" {
  alias  = "destination"
  source = "../copy/tests/mocks/destination"
}

override_data {
  target = data.aws_dynamodb_table.destination
  values = {
    name      = "orders-new"
    arn       = "arn:aws:dynamodb:eu-west-1:222222222222:table/orders-new"
    hash_key  = "customer"
    range_key = "number"
  }
}

variables {
  source_table      = { name = "orders", profile = "old" }
  destination_table = { name = "orders-new", role_arn = "arn:aws:iam::222222222222:role/admin" }
}

run "applied" {
  assert {
    condition = jsonencode(output.tables) == jsonencode({
      source      = { table_name = "orders", region = "eu-central-1", profile = "old", role_arn = null, external_id = null }
      destination = { table_name = "orders-new", region = "eu-west-1", profile = null, role_arn = "arn:aws:iam::222222222222:role/admin", external_id = null }
    })
    error_message = "verify needs both sides: ${jsonencode(output.tables)}"
  }

  assert {
    condition     = can(regex("^tableverify-orders-[0-9a-f]{8}-control$", output.control_function_name))
    error_message = "Another name: ${output.control_function_name}"
  }
}

run "long_names" {
  command = plan

  variables {
    name         = "abcdefghij0123456789"
    source_table = { name = "a.table-with-a-name-of-which-the-functions-and-the-roles-cannot-hold-all-characters" }
  }

  assert {
    condition     = alltrue([for name in values(local.names) : length(name) <= 64 && !strcontains(name, ".")])
    error_message = "Too long for a role, or with a '.': ${jsonencode(local.names)}"
  }
}

run "one_table" {
  command = plan

  override_data {
    target = data.aws_dynamodb_table.destination
    values = { name = "orders", arn = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders", hash_key = "customer", range_key = "number" }
  }

  override_data {
    target = data.aws_dynamodb_table.source
    values = { name = "orders", arn = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders", hash_key = "customer", range_key = "number", server_side_encryption = [] }
  }

  expect_failures = [data.aws_dynamodb_table.destination]
}

run "another_key" {
  command = plan

  override_data {
    target = data.aws_dynamodb_table.destination
    values = { name = "orders-new", arn = "arn:aws:dynamodb:eu-west-1:222222222222:table/orders-new", hash_key = "customer" }
  }

  expect_failures = [data.aws_dynamodb_table.destination]
}

run "wrong_settings" {
  command = plan

  variables {
    name         = "1"
    verification = { segments = 0 }
    roles        = { path = "platform" }
    architecture = "mips"
  }

  expect_failures = [var.name, var.verification, var.roles, var.architecture]
}

run "too_short" {
  command = plan

  variables {
    verification = { timeout_seconds = 30 }
  }

  expect_failures = [var.verification]
}

run "too_small" {
  command = plan

  variables {
    verification = { memory_mb = 128 }
  }

  expect_failures = [var.verification]
}

run "too_slow" {
  command = plan

  variables {
    verification = { read_capacity = 10 }
  }

  expect_failures = [var.verification]
}
