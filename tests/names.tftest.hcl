# Names hold AWS's limits and keep copies apart.

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

run "short" {
  command = plan

  module {
    source = "./modules/copy"
  }

  assert {
    condition     = can(regex("^tablecopy-orders-[0-9a-f]{8}-replicator$", output.replicator_function_name))
    error_message = "Unexpected name: ${output.replicator_function_name}"
  }
}

run "other_account" {
  command = plan

  module {
    source = "./modules/copy"
  }

  override_data {
    target = data.aws_caller_identity.destination
    values = { account_id = "333333333333" }
  }

  assert {
    condition     = output.replicator_function_name != run.short.replicator_function_name
    error_message = "Two copies of one table to two accounts must not collide."
  }
}

run "other_region" {
  command = plan

  module {
    source = "./modules/copy"
  }

  override_data {
    target = data.aws_region.destination
    values = { id = "eu-north-1" }
  }

  assert {
    condition     = output.replicator_function_name != run.short.replicator_function_name
    error_message = "Two copies of one table to two regions must not collide: roles know no region."
  }
}

run "dots_become_dashes" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    source_table = { name = "prod.orders_2" }
  }

  assert {
    condition     = can(regex("^tablecopy-prod-orders_2-[0-9a-f]{8}-replicator$", output.replicator_function_name))
    error_message = "A function's name holds no dot: ${output.replicator_function_name}"
  }
}

# 255 characters, the most a table's name may have.
run "longest" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    name         = "abcdefghijklmnopqrst"
    source_table = { name = format("%0255d", 1) }
  }

  assert {
    condition     = alltrue([for name in values(local.names) : length(name) <= 64])
    error_message = "Too long: ${jsonencode({ for key, name in local.names : key => length(name) })}"
  }

  assert {
    condition     = anytrue([for name in values(local.names) : length(name) == 64])
    error_message = "Cut more than need be: ${jsonencode({ for key, name in local.names : key => length(name) })}"
  }
}

run "equal_where_cut" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    name         = "abcdefghijklmnopqrst"
    source_table = { name = format("%0255d", 2) }
  }

  assert {
    condition     = output.replicator_function_name != run.longest.replicator_function_name
    error_message = "Two tables whose names differ only where they are cut must not collide."
  }
}
