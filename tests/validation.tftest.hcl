# Every rule of every variable: a value just outside is refused. The messages are read by
# terraform/test_messages.py.

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

run "source_name_is_an_arn" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    source_table = { name = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders" }
  }

  expect_failures = [var.source_table]
}

run "source_name_too_short" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    source_table = { name = "ab" }
  }

  expect_failures = [var.source_table]
}

run "destination_name_with_a_space" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    destination_table = { name = "my orders" }
  }

  expect_failures = [var.destination_table]
}

run "name_too_long" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    name = "abcdefghijklmnopqrstu"
  }

  expect_failures = [var.name]
}

run "name_with_a_dot" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    name = "table.copy"
  }

  expect_failures = [var.name]
}

run "no_segments" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    backfill = { segments = 0 }
  }

  expect_failures = [var.backfill]
}

run "half_a_segment" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    backfill = { segments = 1.5 }
  }

  expect_failures = [var.backfill]
}

run "no_concurrency" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    backfill = { concurrency = 0 }
  }

  expect_failures = [var.backfill]
}

run "slice_too_long" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    backfill = { slice_seconds = 21601 }
  }

  expect_failures = [var.backfill]
}

run "backfill_timeout_beyond_lambda" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    backfill = { timeout_seconds = 901 }
  }

  expect_failures = [var.backfill]
}

run "backfill_memory_too_small" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    backfill = { memory_mb = 127 }
  }

  expect_failures = [var.backfill]
}

run "batch_too_large" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    replicator = { batch_size = 10001 }
  }

  expect_failures = [var.replicator]
}

run "window_too_long" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    replicator = { batching_window_seconds = 301 }
  }

  expect_failures = [var.replicator]
}

run "replicator_timeout_too_short" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    replicator = { timeout_seconds = 9 }
  }

  expect_failures = [var.replicator]
}

run "replicator_memory_too_large" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    replicator = { memory_mb = 10241 }
  }

  expect_failures = [var.replicator]
}

run "drained_at_once" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    control = { drained_after_seconds = 0 }
  }

  expect_failures = [var.control]
}

run "alarm_after_records_are_lost" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    alarms = { unapplied_change_age_seconds = 86401 }
  }

  expect_failures = [var.alarms]
}

run "alarm_topic_is_a_name" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    alarms = { topic_arns = ["oncall"] }
  }

  expect_failures = [var.alarms]
}

run "unknown_architecture" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    architecture = "arm"
  }

  expect_failures = [var.architecture]
}

run "unknown_log_retention" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "reserved_tag" {
  command = plan

  module {
    source = "./modules/copy"
  }

  variables {
    tags = { "AWS:owner" = "me" }
  }

  expect_failures = [var.tags]
}
