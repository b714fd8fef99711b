# The destination's definition: the source's, and what the caller sets in its place.
#
# A test cannot read a nested module. These tests read the values that are passed to it, and tests/destination.tftest.hcl
# continues from there.

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

run "everything_follows_the_source" {
  assert {
    condition = jsonencode(local.definition) == jsonencode({
      hash_key               = "customer"
      range_key              = "number"
      attributes             = { customer = "S", number = "N", state = "S", digest = "B" }
      billing_mode           = "PROVISIONED"
      read_capacity          = 5
      write_capacity         = 6
      on_demand_throughput   = null
      table_class            = "STANDARD"
      point_in_time_recovery = { enabled = true, recovery_period_in_days = 14 }
      encryption             = { type = "AWS_OWNED", kms_key_arn = null }
      deletion_protection    = true
      stream_view_type       = "NEW_AND_OLD_IMAGES"
      tags                   = { Owner = "orders" }
      global_secondary_indexes = {
        by-state = {
          hash_key             = "state"
          range_key            = ""
          projection_type      = "INCLUDE"
          non_key_attributes   = ["total"]
          read_capacity        = 3
          write_capacity       = 4
          on_demand_throughput = null
        }
      }
      local_secondary_indexes = {
        by-digest = { range_key = "digest", projection_type = "KEYS_ONLY", non_key_attributes = [] }
      }
    })
    error_message = "The definition is not the source's: ${jsonencode(local.definition)}"
  }

  assert {
    condition     = local.recorded.time_to_live_attribute == "expires"
    error_message = "The attribute of the time to live must be recorded for the cutover."
  }
}

run "everything_but_the_key_is_overridden" {
  state_key = "everything_but_the_key_is_overridden"

  variables {
    destination_definition = {
      billing_mode           = "PAY_PER_REQUEST"
      read_capacity          = 50
      write_capacity         = 60
      on_demand_throughput   = { max_write_request_units = 9000 }
      table_class            = "STANDARD_INFREQUENT_ACCESS"
      point_in_time_recovery = { enabled = false }
      encryption             = { type = "AWS_MANAGED" }
      deletion_protection    = false
      stream_view_type       = "NONE"
      tags                   = { Owner = "new" }
      attributes             = { paid = "S", number = "S" }
      global_secondary_indexes = {
        by-paid = { hash_key = "paid", range_key = "number", on_demand_throughput = { max_read_request_units = 100 } }
      }
      local_secondary_indexes = {}
    }
  }

  assert {
    condition = jsonencode(local.definition) == jsonencode({
      hash_key               = "customer"
      range_key              = "number"
      attributes             = { customer = "S", number = "N", state = "S", digest = "B", paid = "S" }
      billing_mode           = "PAY_PER_REQUEST"
      read_capacity          = 50
      write_capacity         = 60
      on_demand_throughput   = { max_read_request_units = -1, max_write_request_units = 9000 }
      table_class            = "STANDARD_INFREQUENT_ACCESS"
      point_in_time_recovery = { enabled = false, recovery_period_in_days = null }
      encryption             = { type = "AWS_MANAGED", kms_key_arn = null }
      deletion_protection    = false
      stream_view_type       = "NONE"
      tags                   = { Owner = "new" }
      global_secondary_indexes = {
        by-paid = {
          hash_key             = "paid"
          range_key            = "number"
          projection_type      = "ALL"
          non_key_attributes   = []
          read_capacity        = 50
          write_capacity       = 60
          on_demand_throughput = { max_read_request_units = 100, max_write_request_units = -1 }
        }
      }
      local_secondary_indexes = {}
    })
    error_message = "The definition is not as it was set: ${jsonencode(local.definition)}"
  }
}

run "an_on_demand_source_with_little_set" {
  state_key = "an_on_demand_source_with_little_set"

  command = plan

  override_data {
    target = data.aws_dynamodb_table.source
    values = {
      arn                    = "arn:aws:dynamodb:eu-central-1:111111111111:table/secrets"
      stream_arn             = "arn:aws:dynamodb:eu-central-1:111111111111:table/secrets/stream/2026-01-01T00:00:00.000"
      stream_enabled         = true
      stream_view_type       = "NEW_IMAGE"
      billing_mode           = "PAY_PER_REQUEST"
      read_capacity          = 0
      write_capacity         = 0
      hash_key               = "id"
      range_key              = ""
      table_class            = ""
      attribute              = [{ name = "id", type = "S" }]
      on_demand_throughput   = [{ max_read_request_units = 700, max_write_request_units = -1 }]
      point_in_time_recovery = [{ enabled = true, recovery_period_in_days = 0 }]
      ttl                    = [{ attribute_name = "", enabled = false }]
    }
  }

  variables {
    source_table = { name = "secrets" }
  }

  assert {
    condition = (
      local.definition.on_demand_throughput.max_read_request_units == 700
      && local.definition.table_class == "STANDARD"
      && local.definition.point_in_time_recovery.recovery_period_in_days == null
      && local.definition.read_capacity == 0
    )
    error_message = "What the source does not have must not be made up: ${jsonencode(local.definition)}"
  }

  assert {
    condition     = output.commands.time_to_live == null && output.commands.auto_scaling == null && output.commands.warm_throughput == null
    error_message = "There is nothing to turn on, to scale or to warm: ${jsonencode(output.commands)}"
  }
}

run "provisioned_in_place_of_on_demand" {
  state_key = "provisioned_in_place_of_on_demand"

  command = plan

  override_data {
    target = data.aws_dynamodb_table.source
    values = {
      arn                    = "arn:aws:dynamodb:eu-central-1:111111111111:table/secrets"
      stream_arn             = "arn:aws:dynamodb:eu-central-1:111111111111:table/secrets/stream/2026-01-01T00:00:00.000"
      stream_enabled         = true
      stream_view_type       = "NEW_IMAGE"
      billing_mode           = "PAY_PER_REQUEST"
      read_capacity          = 0
      write_capacity         = 0
      hash_key               = "id"
      range_key              = ""
      table_class            = ""
      attribute              = [{ name = "id", type = "S" }, { name = "state", type = "S" }]
      global_secondary_index = [{ name = "by-state", hash_key = "state", range_key = "", projection_type = "ALL", non_key_attributes = [], read_capacity = 0, write_capacity = 0, on_demand_throughput = [] }]
    }
  }

  variables {
    source_table           = { name = "secrets" }
    destination_definition = { billing_mode = "PROVISIONED", read_capacity = 50, write_capacity = 60 }
  }

  assert {
    condition = (
      local.definition.global_secondary_indexes.by-state.read_capacity == 50
      && local.definition.global_secondary_indexes.by-state.write_capacity == 60
    )
    error_message = "An index that was on demand gets as many units as the table: ${jsonencode(local.definition)}"
  }
}
