# The destination account of the native tests.

mock_data "aws_caller_identity" {
  defaults = {
    account_id = "222222222222"
  }
}

mock_data "aws_service" {
  defaults = {
    region = "eu-west-1"
  }
}

mock_data "aws_partition" {
  defaults = {
    partition = "aws"
  }
}

mock_data "aws_iam_policy_document" {
  defaults = {
    json = "{}"
  }
}

mock_data "aws_dynamodb_tables" {
  defaults = {
    names = ["other"]
  }
}

mock_data "aws_dynamodb_table" {
  defaults = {
    arn       = "arn:aws:dynamodb:eu-west-1:222222222222:table/orders"
    hash_key  = "customer"
    range_key = "number"
    attribute = [
      { name = "customer", type = "S" },
      { name = "number", type = "N" },
    ]
  }
}

mock_resource "aws_dynamodb_table" {
  defaults = {
    arn = "arn:aws:dynamodb:eu-west-1:222222222222:table/orders"
  }
}

mock_resource "aws_iam_role" {
  defaults = {
    arn = "arn:aws:iam::222222222222:role/destination"
  }
}
