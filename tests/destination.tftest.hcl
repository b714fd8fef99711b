# The destination account: the table as the source defines it, or an existing one that fits, and one role.

mock_provider "aws" {
  source = "./modules/copy/tests/mocks/destination"
}

variables {
  enabled    = true
  table_name = "orders"
  create     = true
  role       = { name = "tablecopy-orders-0123abcd-destination", path = "/", external_id = "an-external-id", trusted_account_id = "111111111111" }
  location   = { partition = "aws", account_id = "222222222222", region = "eu-west-1" }
  copy       = "a-copy"
  trusted_role_arns = [
    "arn:aws:iam::111111111111:role/replicator",
    "arn:aws:iam::111111111111:role/backfill",
    "arn:aws:iam::111111111111:role/control",
  ]
  definition = {
    hash_key         = "customer"
    range_key        = "number"
    attributes       = { customer = "S", number = "N", state = "S", digest = "B" }
    billing_mode     = "PROVISIONED"
    read_capacity    = 5
    write_capacity   = 6
    stream_view_type = "NEW_IMAGE"
    tags             = { Owner = "orders" }
    global_secondary_indexes = {
      by-state = {
        hash_key           = "state"
        projection_type    = "INCLUDE"
        non_key_attributes = ["total"]
        read_capacity      = 3
        write_capacity     = 4
      }
    }
    local_secondary_indexes = {
      by-digest = {
        range_key       = "digest"
        projection_type = "KEYS_ONLY"
      }
    }
  }
}

run "table_as_the_source_defines_it" {
  command = plan

  module {
    source = "./modules/destination"
  }

  assert {
    condition = (
      aws_dynamodb_table.this[0].hash_key == "customer"
      && aws_dynamodb_table.this[0].range_key == "number"
      && aws_dynamodb_table.this[0].billing_mode == "PROVISIONED"
      && aws_dynamodb_table.this[0].read_capacity == 5
      && aws_dynamodb_table.this[0].write_capacity == 6
    )
    error_message = "Key or throughput differ from the source's."
  }

  assert {
    condition     = tomap({ for attribute in aws_dynamodb_table.this[0].attribute : attribute.name => attribute.type }) == tomap({ customer = "S", number = "N", state = "S", digest = "B" })
    error_message = "Attributes differ from the source's."
  }

  assert {
    condition = alltrue([
      for index in aws_dynamodb_table.this[0].global_secondary_index :
      index.name == "by-state" && index.hash_key == "state" && index.range_key == null && index.projection_type == "INCLUDE"
      && index.non_key_attributes == toset(["total"]) && index.read_capacity == 3 && index.write_capacity == 4
    ]) && length(aws_dynamodb_table.this[0].global_secondary_index) == 1
    error_message = "The global index differs from the source's."
  }

  assert {
    condition = alltrue([
      for index in aws_dynamodb_table.this[0].local_secondary_index :
      index.name == "by-digest" && index.range_key == "digest" && index.projection_type == "KEYS_ONLY" && index.non_key_attributes == null
    ]) && length(aws_dynamodb_table.this[0].local_secondary_index) == 1
    error_message = "The local index differs from the source's."
  }

  assert {
    condition     = aws_dynamodb_table.this[0].deletion_protection_enabled && length(aws_dynamodb_table.this[0].ttl) == 0
    error_message = "The table must be protected from deletion and must not expire items by itself."
  }

  assert {
    condition     = aws_dynamodb_table.this[0].server_side_encryption[0].enabled == false
    error_message = "The key that AWS owns has to be asked for, or a table once under KMS keeps its key."
  }
}

run "class_recovery_encryption_stream_and_tags" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    tags = { Copied = "yes" }
    definition = {
      hash_key                 = "id"
      attributes               = { id = "S", paid = "S", unused = "N" }
      table_class              = "STANDARD_INFREQUENT_ACCESS"
      encryption               = { type = "CUSTOMER_MANAGED", kms_key_arn = "arn:aws:kms:eu-west-1:222222222222:key/own" }
      stream_view_type         = "NEW_IMAGE"
      deletion_protection      = false
      tags                     = { Owner = "orders", Copied = "no" }
      global_secondary_indexes = { by-paid = { hash_key = "paid", on_demand_throughput = { max_read_request_units = 100, max_write_request_units = 200 } } }
      point_in_time_recovery   = { enabled = true, recovery_period_in_days = 14 }
      on_demand_throughput     = { max_read_request_units = 700, max_write_request_units = -1 }
    }
  }

  assert {
    condition = (
      aws_dynamodb_table.this[0].table_class == "STANDARD_INFREQUENT_ACCESS"
      && !aws_dynamodb_table.this[0].deletion_protection_enabled
      && aws_dynamodb_table.this[0].stream_enabled
      && aws_dynamodb_table.this[0].stream_view_type == "NEW_IMAGE"
    )
    error_message = "Class, protection or stream differ from the definition."
  }

  assert {
    condition     = jsonencode(aws_dynamodb_table.this[0].tags) == jsonencode({ Copied = "yes", Owner = "orders" })
    error_message = "The module's tags come on top of the definition's: ${jsonencode(aws_dynamodb_table.this[0].tags)}"
  }

  assert {
    condition = (
      aws_dynamodb_table.this[0].point_in_time_recovery[0].enabled
      && aws_dynamodb_table.this[0].point_in_time_recovery[0].recovery_period_in_days == 14
    )
    error_message = "Point-in-time recovery differs from the definition."
  }

  assert {
    condition = (
      aws_dynamodb_table.this[0].server_side_encryption[0].enabled
      && aws_dynamodb_table.this[0].server_side_encryption[0].kms_key_arn == "arn:aws:kms:eu-west-1:222222222222:key/own"
    )
    error_message = "The table must be under the key it was given."
  }

  assert {
    condition = (
      aws_dynamodb_table.this[0].on_demand_throughput[0].max_read_request_units == 700
      && aws_dynamodb_table.this[0].on_demand_throughput[0].max_write_request_units == 0
      && one(aws_dynamodb_table.this[0].global_secondary_index).on_demand_throughput[0].max_write_request_units == 200
    )
    error_message = "On-demand maximums differ from the definition."
  }

  assert {
    condition     = toset([for attribute in aws_dynamodb_table.this[0].attribute : attribute.name]) == toset(["id", "paid"])
    error_message = "DynamoDB refuses attributes that no key is made of."
  }

  assert {
    condition = one([
      for statement in data.aws_iam_policy_document.key[0].statement : statement if statement.sid == "OpenTheTableUnderItsKey"
    ]).resources == toset(["arn:aws:kms:eu-west-1:222222222222:key/own"])
    error_message = "The role must be able to open the table."
  }
}

run "no_maximums" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key                 = "id"
      attributes               = { id = "S", paid = "S" }
      global_secondary_indexes = { by-paid = { hash_key = "paid", on_demand_throughput = { max_read_request_units = -1, max_write_request_units = 0 } } }
      on_demand_throughput     = { max_read_request_units = -1, max_write_request_units = -1 }
    }
  }

  assert {
    condition = (
      length(aws_dynamodb_table.this[0].on_demand_throughput) == 0
      && length(one(aws_dynamodb_table.this[0].global_secondary_index).on_demand_throughput) == 0
    )
    error_message = "DynamoDB refuses -1 and 0 where a table is created."
  }
}

run "the_key_aws_manages" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key   = "id"
      attributes = { id = "S" }
      encryption = { type = "AWS_MANAGED" }
    }
  }

  assert {
    condition     = aws_dynamodb_table.this[0].server_side_encryption[0].enabled
    error_message = "The table must be under KMS."
  }

  assert {
    condition     = !contains(data.aws_iam_policy_document.key[0].statement[*].sid, "OpenTheTableUnderItsKey")
    error_message = "Nobody needs rights to the key AWS manages."
  }
}

run "key_of_another_region" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key   = "id"
      attributes = { id = "S" }
      encryption = { type = "CUSTOMER_MANAGED", kms_key_arn = "arn:aws:kms:us-east-1:222222222222:key/own" }
    }
  }

  expect_failures = [aws_dynamodb_table.this]
}

run "customer_managed_without_a_key" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key   = "id"
      attributes = { id = "S" }
      encryption = { type = "CUSTOMER_MANAGED" }
    }
  }

  expect_failures = [aws_dynamodb_table.this]
}

run "provisioned_without_units" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key     = "id"
      attributes   = { id = "S" }
      billing_mode = "PROVISIONED"
    }
  }

  expect_failures = [aws_dynamodb_table.this]
}

run "index_without_units" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key                 = "id"
      attributes               = { id = "S", paid = "S" }
      billing_mode             = "PROVISIONED"
      read_capacity            = 1
      write_capacity           = 1
      global_secondary_indexes = { by-paid = { hash_key = "paid", read_capacity = 1 } }
    }
  }

  expect_failures = [aws_dynamodb_table.this]
}

run "index_key_of_unknown_type" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key                 = "id"
      attributes               = { id = "S" }
      global_secondary_indexes = { by-paid = { hash_key = "paid" } }
    }
  }

  expect_failures = [aws_dynamodb_table.this]
}

run "on_demand_without_sort_key" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key            = "id"
      attributes          = { id = "S" }
      deletion_protection = false
    }
  }

  assert {
    condition     = aws_dynamodb_table.this[0].billing_mode == "PAY_PER_REQUEST" && aws_dynamodb_table.this[0].range_key == null
    error_message = "An on-demand table without a sort key must stay one."
  }
}

run "existing_table_that_fits" {
  command = apply

  module {
    source = "./modules/destination"
  }

  variables {
    create = false
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = ["orders", "other"] }
  }

  assert {
    condition     = length(aws_dynamodb_table.this) == 0 && output.table_arn == "arn:aws:dynamodb:eu-west-1:222222222222:table/orders"
    error_message = "An existing table must be taken as it is."
  }
}

run "existing_table_with_other_indexes" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    create = false
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = ["orders", "other"] }
  }

  override_data {
    target = data.aws_dynamodb_table.existing
    values = {
      arn       = "arn:aws:dynamodb:eu-west-1:222222222222:table/orders"
      hash_key  = "customer"
      range_key = "number"
      attribute = [{ name = "customer", type = "S" }, { name = "number", type = "N" }, { name = "paid", type = "S" }]
    }
  }
}

run "existing_table_with_another_key" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    create = false
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = ["orders", "other"] }
  }

  override_data {
    target = data.aws_dynamodb_table.existing
    values = {
      arn       = "arn:aws:dynamodb:eu-west-1:222222222222:table/orders"
      hash_key  = "customer"
      range_key = "created"
      attribute = [{ name = "customer", type = "S" }, { name = "created", type = "N" }]
    }
  }

  expect_failures = [aws_iam_role.this]
}

run "existing_table_with_another_key_type" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    create = false
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = ["orders", "other"] }
  }

  override_data {
    target = data.aws_dynamodb_table.existing
    values = {
      arn       = "arn:aws:dynamodb:eu-west-1:222222222222:table/orders"
      hash_key  = "customer"
      range_key = "number"
      attribute = [{ name = "customer", type = "S" }, { name = "number", type = "S" }]
    }
  }

  expect_failures = [aws_iam_role.this]
}

run "existing_table_without_a_sort_key" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    create = false
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = ["orders", "other"] }
  }

  override_data {
    target = data.aws_dynamodb_table.existing
    values = {
      arn       = "arn:aws:dynamodb:eu-west-1:222222222222:table/orders"
      hash_key  = "customer"
      range_key = ""
      attribute = [{ name = "customer", type = "S" }]
    }
  }

  expect_failures = [aws_iam_role.this]
}

run "missing_table" {
  command = plan

  module {
    source = "./modules/destination"
  }

  variables {
    create     = false
    table_name = "nowhere"
  }

  expect_failures = [data.aws_dynamodb_tables.here]
}

# What a created table is asked to become later.
run "created" {
  command   = apply
  state_key = "later"

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key                = "id"
      attributes              = { id = "S", number = "N", day = "S" }
      encryption              = { type = "CUSTOMER_MANAGED", kms_key_arn = "arn:aws:kms:eu-west-1:222222222222:key/own" }
      local_secondary_indexes = { by-day = { range_key = "day", projection_type = "INCLUDE", non_key_attributes = ["b", "a"] } }
    }
  }
}

run "the_order_of_projected_attributes_changes_nothing" {
  command   = plan
  state_key = "later"

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key                = "id"
      attributes              = { id = "S", number = "N", day = "S" }
      encryption              = { type = "CUSTOMER_MANAGED", kms_key_arn = "arn:aws:kms:eu-west-1:222222222222:key/own" }
      local_secondary_indexes = { by-day = { range_key = "day", projection_type = "INCLUDE", non_key_attributes = ["a", "b"] } }
    }
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = ["orders", "other"] }
  }
}

run "another_local_index" {
  command   = plan
  state_key = "later"

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key                = "id"
      attributes              = { id = "S", number = "N", day = "S" }
      encryption              = { type = "CUSTOMER_MANAGED", kms_key_arn = "arn:aws:kms:eu-west-1:222222222222:key/own" }
      local_secondary_indexes = { by-number = { range_key = "number" } }
    }
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = ["orders", "other"] }
  }

  expect_failures = [aws_dynamodb_table.this]
}

run "another_key" {
  command   = plan
  state_key = "later"

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key                = "number"
      attributes              = { id = "S", number = "N", day = "S" }
      encryption              = { type = "CUSTOMER_MANAGED", kms_key_arn = "arn:aws:kms:eu-west-1:222222222222:key/own" }
      local_secondary_indexes = { by-day = { range_key = "day", projection_type = "INCLUDE", non_key_attributes = ["b", "a"] } }
    }
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = ["orders", "other"] }
  }

  expect_failures = [aws_dynamodb_table.this]
}

run "under_the_key_aws_manages_again" {
  command   = plan
  state_key = "later"

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key                = "id"
      attributes              = { id = "S", number = "N", day = "S" }
      encryption              = { type = "AWS_MANAGED" }
      local_secondary_indexes = { by-day = { range_key = "day", projection_type = "INCLUDE", non_key_attributes = ["b", "a"] } }
    }
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = ["orders", "other"] }
  }

  expect_failures = [aws_dynamodb_table.this]
}

run "under_the_key_aws_owns_again" {
  command   = plan
  state_key = "later"

  module {
    source = "./modules/destination"
  }

  variables {
    definition = {
      hash_key                = "id"
      attributes              = { id = "S", number = "N", day = "S" }
      local_secondary_indexes = { by-day = { range_key = "day", projection_type = "INCLUDE", non_key_attributes = ["b", "a"] } }
    }
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = ["orders", "other"] }
  }
}

run "a_table_that_should_not_be_there" {
  command = plan

  module {
    source = "./modules/destination"
  }

  override_data {
    target = data.aws_dynamodb_tables.here
    values = { names = ["orders", "other"] }
  }

  expect_failures = [terraform_data.absent]
}
