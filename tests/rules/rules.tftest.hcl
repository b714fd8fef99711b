# Every rule of every variable of modules/copy: a value just outside is refused.
#
# Run on modules/copy/variables.tf alone, laid beside these files: without a provider, a rule takes milliseconds. By hand:
#
#   cp modules/copy/variables.tf tests/rules && terraform -chdir=tests/rules test

variables {
  source_table = { name = "orders" }
}

run "source_name_is_an_arn" {
  command = plan

  variables {
    source_table = { name = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders" }
  }

  expect_failures = [var.source_table]
}

run "source_name_too_short" {
  command = plan

  variables {
    source_table = { name = "ab" }
  }

  expect_failures = [var.source_table]
}

run "destination_name_with_a_space" {
  command = plan

  variables {
    destination_table = { name = "my orders" }
  }

  expect_failures = [var.destination_table]
}

run "name_too_long" {
  command = plan

  variables {
    name = "abcdefghijklmnopqrstu"
  }

  expect_failures = [var.name]
}

run "name_with_a_dot" {
  command = plan

  variables {
    name = "table.copy"
  }

  expect_failures = [var.name]
}

run "no_segments" {
  command = plan

  variables {
    backfill = { segments = 0 }
  }

  expect_failures = [var.backfill]
}

run "half_a_segment" {
  command = plan

  variables {
    backfill = { segments = 1.5 }
  }

  expect_failures = [var.backfill]
}

run "no_concurrency" {
  command = plan

  variables {
    backfill = { concurrency = 0 }
  }

  expect_failures = [var.backfill]
}

run "slice_too_long" {
  command = plan

  variables {
    backfill = { slice_seconds = 21601 }
  }

  expect_failures = [var.backfill]
}

run "read_budget_too_small_to_be_shared" {
  command = plan

  variables {
    backfill = { concurrency = 8, read_capacity = 39 }
  }

  expect_failures = [var.backfill]
}

run "half_a_read_unit" {
  command = plan

  variables {
    backfill = { concurrency = 8, read_capacity = 40.5 }
  }

  expect_failures = [var.backfill]
}

run "write_budget_too_small_to_be_shared" {
  command = plan

  variables {
    backfill = { concurrency = 8, write_capacity = 39 }
  }

  expect_failures = [var.backfill]
}

run "half_a_write_unit" {
  command = plan

  variables {
    backfill = { concurrency = 8, write_capacity = 40.5 }
  }

  expect_failures = [var.backfill]
}

# Fewer segments than workers: only four workers share the budget.
run "budgets_just_large_enough" {
  command = plan

  variables {
    backfill = { segments = 4, concurrency = 8, read_capacity = 20, write_capacity = 20 }
  }
}

# A worker has a segment of its own, so the other workers would never start.
run "more_workers_than_segments" {
  command = plan

  variables {
    backfill = { concurrency = 40 }
  }

  expect_failures = [var.backfill]
}

run "as_many_workers_as_segments" {
  command = plan

  variables {
    backfill = { segments = 40, concurrency = 40 }
  }
}

run "fewer_segments_than_workers_by_default" {
  command = plan

  variables {
    backfill = { segments = 4 }
  }
}

run "backfill_timeout_within_its_margin" {
  command = plan

  variables {
    backfill = { timeout_seconds = 29 }
  }

  expect_failures = [var.backfill]
}

run "backfill_timeout_beyond_lambda" {
  command = plan

  variables {
    backfill = { timeout_seconds = 901 }
  }

  expect_failures = [var.backfill]
}

run "backfill_memory_too_small" {
  command = plan

  variables {
    backfill = { memory_mb = 127 }
  }

  expect_failures = [var.backfill]
}

run "batch_too_large" {
  command = plan

  variables {
    replicator = { batch_size = 1001 }
  }

  expect_failures = [var.replicator]
}

run "window_too_long" {
  command = plan

  variables {
    replicator = { batching_window_seconds = 11 }
  }

  expect_failures = [var.replicator]
}

run "replicator_timeout_too_short" {
  command = plan

  variables {
    replicator = { timeout_seconds = 29 }
  }

  expect_failures = [var.replicator]
}

run "replicator_memory_too_large" {
  command = plan

  variables {
    replicator = { memory_mb = 10241 }
  }

  expect_failures = [var.replicator]
}

run "drained_at_once" {
  command = plan

  variables {
    control = { drained_after_seconds = 0 }
  }

  expect_failures = [var.control]
}

run "record_age_leaves_no_time_to_copy" {
  command = plan

  variables {
    control = { record_age_fraction = 0.04 }
  }

  expect_failures = [var.control]
}

run "record_age_leaves_no_time_to_act" {
  command = plan

  variables {
    control = { record_age_fraction = 0.91 }
  }

  expect_failures = [var.control]
}

run "currency_is_a_sign" {
  command = plan

  variables {
    prices = { currency = "$" }
  }

  expect_failures = [var.prices]
}

run "read_price_below_nothing" {
  command = plan

  variables {
    prices = { read_per_million = -0.1 }
  }

  expect_failures = [var.prices]
}

run "write_price_below_nothing" {
  command = plan

  variables {
    prices = { write_per_million = -0.1 }
  }

  expect_failures = [var.prices]
}

run "alarm_at_no_age" {
  command = plan

  variables {
    alarms = { unapplied_change_age_fraction = 0.009 }
  }

  expect_failures = [var.alarms]
}

run "alarm_after_the_stream_has_forgotten" {
  command = plan

  variables {
    alarms  = { unapplied_change_age_fraction = 0.91 }
    control = { record_age_fraction = 0.9 }
  }

  expect_failures = [var.alarms]
}

run "alarm_after_the_run_has_stopped" {
  command = plan

  variables {
    alarms  = { unapplied_change_age_fraction = 0.3 }
    control = { record_age_fraction = 0.25 }
  }

  expect_failures = [var.alarms]
}

run "topic_without_alarms" {
  command = plan

  variables {
    alarms = { enabled = false, create_topic = true }
  }

  expect_failures = [var.alarms]
}

run "address_without_a_topic" {
  command = plan

  variables {
    alarms = { email_addresses = ["oncall@example.com"] }
  }

  expect_failures = [var.alarms]
}

run "address_is_a_name" {
  command = plan

  variables {
    alarms = { create_topic = true, email_addresses = ["oncall"] }
  }

  expect_failures = [var.alarms]
}

run "alarm_topic_is_a_name" {
  command = plan

  variables {
    alarms = { topic_arns = ["oncall"] }
  }

  expect_failures = [var.alarms]
}

run "half_a_day_of_logs" {
  command = plan

  variables {
    log_retention_days = 0.5
  }

  expect_failures = [var.log_retention_days]
}

run "reserved_tag" {
  command = plan

  variables {
    tags = { "AWS:owner" = "me" }
  }

  expect_failures = [var.tags]
}

# From here on several variables, each with one value just outside of one of its rules.

run "too_few_too_small_too_short" {
  command = plan

  variables {
    backfill    = { segments = 4, concurrency = 16, reserved_concurrency = 4 }
    replicator  = { reserved_concurrency = 0 }
    control     = { reserved_concurrency = 0 }
    roles       = { path = "copies/" }
    external_id = "x"
    vpc         = { subnet_ids = [], security_group_ids = ["sg-1"] }
    kms_key_arn = "arn:aws:kms:eu-central-1:111111111111:alias/copies"
  }

  expect_failures = [var.backfill, var.replicator, var.control, var.roles, var.external_id, var.vpc, var.kms_key_arn]
}

run "too_large_too_long" {
  command = plan

  variables {
    control     = { memory_mb = 10241 }
    roles       = { path = "/${join("", [for number in range(255) : "x"])}/" }
    external_id = join("", [for number in range(257) : "x"])
    vpc         = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1", "sg-2", "sg-3", "sg-4", "sg-5", "sg-6"] }
  }

  expect_failures = [var.control, var.roles, var.external_id, var.vpc]
}

run "not_whole" {
  command = plan

  variables {
    backfill   = { reserved_concurrency = 16.5 }
    replicator = { reserved_concurrency = 1.5 }
    control    = { reserved_concurrency = 1.5 }
    roles      = { path = "/copies" }
    vpc        = { subnet_ids = ["subnet-1"], security_group_ids = [] }
  }

  expect_failures = [var.backfill, var.replicator, var.control, var.roles, var.vpc]
}

run "with_signs_that_are_not_allowed" {
  command = plan

  variables {
    backfill    = { segments = 100, concurrency = 16, reserved_concurrency = 15 }
    control     = { memory_mb = 127 }
    roles       = { path = "/copies*/" }
    external_id = "two words"
    vpc         = { subnet_ids = ["subnet-1", "vpc-1"], security_group_ids = ["sg-1"] }
    kms_key_arn = "1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  expect_failures = [var.backfill, var.control, var.roles, var.external_id, var.vpc, var.kms_key_arn]
}

run "source_boundary_is_a_role" {
  command = plan

  variables {
    control = { memory_mb = 256.5 }
    roles   = { source_permissions_boundary_arn = "arn:aws:iam::111111111111:role/boundary" }
    vpc     = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1", "default"] }
  }

  expect_failures = [var.control, var.roles, var.vpc]
}

run "destination_boundary_is_a_name" {
  command = plan

  variables {
    roles = { destination_permissions_boundary_arn = "boundary" }
  }

  expect_failures = [var.roles]
}

run "just_inside" {
  command = plan

  variables {
    backfill    = { segments = 4, concurrency = 16, reserved_concurrency = 5 }
    replicator  = { reserved_concurrency = 1 }
    control     = { reserved_concurrency = 1, memory_mb = 128 }
    roles       = { path = "/${join("", [for number in range(254) : "x"])}/", source_permissions_boundary_arn = "arn:aws:iam::aws:policy/PowerUserAccess", destination_permissions_boundary_arn = "arn:aws-cn:iam::222222222222:policy/path/boundary" }
    external_id = join("", [for number in range(256) : "/"])
    vpc         = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1", "sg-2", "sg-3", "sg-4", "sg-5"] }
    kms_key_arn = "arn:aws:kms:eu-central-1:111111111111:key/mrk-1234abcd12ab34cd56ef1234567890ab"
  }
}

run "a_streams_endpoint_is_a_url" {
  command = plan

  variables {
    vpc = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], dynamodb_streams_endpoint_url = "vpce-1a2b3c4d-5e6f.streams.dynamodb.eu-central-1.vpce.amazonaws.com" }
  }

  expect_failures = [var.vpc]
}

run "a_streams_endpoint" {
  command = plan

  variables {
    vpc = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], dynamodb_streams_endpoint_url = "https://vpce-1a2b3c4d-5e6f.streams.dynamodb.eu-central-1.vpce.amazonaws.com" }
  }
}

# AWS adds partitions, regions and values; whether one exists is for AWS and the provider to say.
run "what_aws_may_add" {
  command = plan

  variables {
    roles                  = { source_permissions_boundary_arn = "arn:aws-eusc:iam::111111111111:policy/boundary" }
    vpc                    = { subnet_ids = ["subnet-x"], security_group_ids = ["sg-x"] }
    kms_key_arn            = "arn:aws-eusc:kms:eusc-de-east-1:111111111111:key/a:b"
    alarms                 = { topic_arns = ["arn:aws2:sns:eusc-de-east-1:111111111111:oncall"] }
    architecture           = "riscv64"
    log_retention_days     = 31
    destination_definition = { table_class = "GLACIER", encryption = { type = "CUSTOMER_MANAGED", kms_key_arn = "arn:aws2:kms:eusc-de-east-1:222222222222:key/1" } }
  }
}
