# The rules the root adds to those of modules/copy: how a side is reached.

mock_provider "aws" {
  alias  = "source"
  source = "./modules/copy/tests/mocks/source"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./modules/copy/tests/mocks/destination"
}

variables {
  source_table = { name = "orders", region = "eu-central-1" }
}

run "source_region_is_an_endpoint" {
  command = plan

  variables {
    source_table = { name = "orders", region = "dynamodb.eu-central-1.amazonaws.com" }
  }

  expect_failures = [var.source_table]
}

run "source_role_is_a_name" {
  command = plan

  variables {
    source_table = { name = "orders", region = "eu-central-1", role_arn = "admin" }
  }

  expect_failures = [var.source_table]
}

run "source_external_id_without_role" {
  command = plan

  variables {
    source_table = { name = "orders", region = "eu-central-1", external_id = "x" }
  }

  expect_failures = [var.source_table]
}

run "destination_region_is_a_place" {
  command = plan

  variables {
    destination_table = { region = "Frankfurt" }
  }

  expect_failures = [var.destination_table]
}

run "destination_role_of_a_user" {
  command = plan

  variables {
    destination_table = { role_arn = "arn:aws:iam::222222222222:user/me" }
  }

  expect_failures = [var.destination_table]
}

run "destination_external_id_without_role" {
  command = plan

  variables {
    destination_table = { external_id = "x" }
  }

  expect_failures = [var.destination_table]
}

# AWS adds partitions and regions; whether one exists is for the provider to say.
run "region_and_partition_of_another_shape" {
  command = plan

  variables {
    source_table      = { name = "orders", region = "eusc-de-east-1", role_arn = "arn:aws-eusc:iam::111111111111:role/admin" }
    destination_table = { region = "mars-1", role_arn = "arn:aws2:iam::222222222222:role/admin" }
  }
}
