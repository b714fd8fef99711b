# The root hands everything through, and an apply of it gives what the commands read.

mock_provider "aws" {
  alias  = "source"
  source = "./modules/copy/tests/mocks/source"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./modules/copy/tests/mocks/destination"
}

variables {
  source_table      = { name = "orders", region = "eu-central-1", profile = "old" }
  destination_table = { region = "eu-west-1", profile = "new" }
  name              = "move"
}

run "applied" {
  assert {
    condition     = output.tables.source.profile == "old" && output.tables.destination.table_name == "orders" && output.tables.destination.region == "eu-west-1"
    error_message = "verify needs both sides: ${jsonencode(output.tables)}"
  }

  assert {
    condition     = startswith(output.control_function_name, "move-orders-")
    error_message = "The prefix of the names is not handed through: ${output.control_function_name}"
  }

  assert {
    condition     = output.commands.status == "tablecopy status --control-function ${output.control_function_name} --source-region eu-central-1 --source-profile old"
    error_message = "Not ready to paste: ${output.commands.status}"
  }
}

run "disabled" {
  variables {
    enabled = false
  }

  assert {
    condition     = output.control_function_name == null && output.destination_table_arn != null
    error_message = "Only the table stays."
  }
}
