# Every rule of destination_definition: a value just outside is refused.
#
# Run on modules/copy/variables.tf alone, laid beside these files: without a provider, a rule takes milliseconds. By hand:
#
#   cp modules/copy/variables.tf tests/rules && terraform -chdir=tests/rules test

variables {
  source_table = { name = "orders" }
}

run "billing_mode" {
  command = plan

  variables {
    destination_definition = { billing_mode = "ON_DEMAND" }
  }

  expect_failures = [var.destination_definition]
}

run "read_capacity_of_zero" {
  command = plan

  variables {
    destination_definition = { read_capacity = 0 }
  }

  expect_failures = [var.destination_definition]
}

run "index_write_capacity_of_a_half" {
  command = plan

  variables {
    destination_definition = { global_secondary_indexes = { by-state = { hash_key = "state", write_capacity = 0.5 } } }
  }

  expect_failures = [var.destination_definition]
}

run "on_demand_maximum_of_zero" {
  command = plan

  variables {
    destination_definition = { on_demand_throughput = { max_read_request_units = 0 } }
  }

  expect_failures = [var.destination_definition]
}

run "index_on_demand_maximum_of_zero" {
  command = plan

  variables {
    destination_definition = { global_secondary_indexes = { by-state = { hash_key = "state", on_demand_throughput = { max_write_request_units = 0 } } } }
  }

  expect_failures = [var.destination_definition]
}

run "recovery_for_36_days" {
  command = plan

  variables {
    destination_definition = { point_in_time_recovery = { recovery_period_in_days = 36 } }
  }

  expect_failures = [var.destination_definition]
}

run "recovery_off_for_a_day" {
  command = plan

  variables {
    destination_definition = { point_in_time_recovery = { enabled = false, recovery_period_in_days = 1 } }
  }

  expect_failures = [var.destination_definition]
}

run "encryption_type" {
  command = plan

  variables {
    destination_definition = { encryption = { type = "KMS" } }
  }

  expect_failures = [var.destination_definition]
}

run "customer_managed_encryption_without_a_key" {
  command = plan

  variables {
    destination_definition = { encryption = { type = "CUSTOMER_MANAGED" } }
  }

  expect_failures = [var.destination_definition]
}

run "aws_managed_encryption_with_a_key" {
  command = plan

  variables {
    destination_definition = { encryption = { type = "AWS_MANAGED", kms_key_arn = "arn:aws:kms:eu-west-1:222222222222:key/own" } }
  }

  expect_failures = [var.destination_definition]
}

run "encryption_by_an_alias" {
  command = plan

  variables {
    destination_definition = { encryption = { type = "CUSTOMER_MANAGED", kms_key_arn = "arn:aws:kms:eu-west-1:222222222222:alias/own" } }
  }

  expect_failures = [var.destination_definition]
}

run "stream_view_type" {
  command = plan

  variables {
    destination_definition = { stream_view_type = "OFF" }
  }

  expect_failures = [var.destination_definition]
}

run "definition_tag_of_aws" {
  command = plan

  variables {
    destination_definition = { tags = { "aws:name" = "x" } }
  }

  expect_failures = [var.destination_definition]
}

run "attribute_type" {
  command = plan

  variables {
    destination_definition = { attributes = { paid = "BOOL" } }
  }

  expect_failures = [var.destination_definition]
}

run "projection_type" {
  command = plan

  variables {
    destination_definition = { local_secondary_indexes = { by-digest = { range_key = "digest", projection_type = "SOME" } } }
  }

  expect_failures = [var.destination_definition]
}

run "projection_without_attributes" {
  command = plan

  variables {
    destination_definition = { local_secondary_indexes = { by-digest = { range_key = "digest", projection_type = "INCLUDE" } } }
  }

  expect_failures = [var.destination_definition]
}

run "attributes_without_a_projection" {
  command = plan

  variables {
    destination_definition = { global_secondary_indexes = { by-state = { hash_key = "state", non_key_attributes = ["total"] } } }
  }

  expect_failures = [var.destination_definition]
}

run "warm_throughput_of_zero" {
  command = plan

  variables {
    destination_definition = { warm_throughput = { read_units_per_second = 0, write_units_per_second = 4000 } }
  }

  expect_failures = [var.destination_definition]
}

run "index_name_of_two_letters" {
  command = plan

  variables {
    destination_definition = { global_secondary_indexes = { id = { hash_key = "state" } } }
  }

  expect_failures = [var.destination_definition]
}

run "a_global_and_a_local_index_of_one_name" {
  command = plan

  variables {
    destination_definition = {
      global_secondary_indexes = { by-state = { hash_key = "state" } }
      local_secondary_indexes  = { by-state = { range_key = "state" } }
    }
  }

  expect_failures = [var.destination_definition]
}

run "six_local_indexes" {
  command = plan

  variables {
    destination_definition = { local_secondary_indexes = { for number in range(6) : "by-${number}" => { range_key = "state" } } }
  }

  expect_failures = [var.destination_definition]
}
