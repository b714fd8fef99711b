# The rules the root adds to those of modules/copy: how a side is reached.

mock_provider "aws" {
  alias  = "source"
  source = "./tests/mocks/source"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./tests/mocks/destination"
}

variables {
  source_table = { name = "orders", region = "eu-central-1" }
}

run "source_region_is_a_zone" {
  command = plan

  variables {
    source_table = { name = "orders", region = "eu-central-1a" }
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
