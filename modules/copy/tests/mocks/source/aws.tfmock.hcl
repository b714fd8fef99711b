# The source account of the native tests: what its data sources say.

mock_data "aws_caller_identity" {
  defaults = {
    account_id = "111111111111"
  }
}

mock_data "aws_service" {
  defaults = {
    region = "eu-central-1"
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
    names = ["orders", "secrets"]
  }
}

mock_data "aws_dynamodb_table" {
  defaults = {
    arn                    = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders"
    stream_arn             = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders/stream/2026-01-01T00:00:00.000"
    stream_enabled         = true
    stream_view_type       = "NEW_AND_OLD_IMAGES"
    billing_mode           = "PROVISIONED"
    read_capacity          = 5
    write_capacity         = 6
    hash_key               = "customer"
    range_key              = "number"
    table_class            = "STANDARD"
    tags                   = { Owner = "orders", "aws:cloudformation:stack-name" = "orders" }
    server_side_encryption = []
    on_demand_throughput   = []
    point_in_time_recovery = [{ enabled = true, recovery_period_in_days = 14 }]
    ttl                    = [{ attribute_name = "expires", enabled = true }]
    attribute = [
      { name = "customer", type = "S" },
      { name = "number", type = "N" },
      { name = "state", type = "S" },
      { name = "digest", type = "B" },
    ]
    global_secondary_index = [
      {
        name                 = "by-state"
        hash_key             = "state"
        range_key            = ""
        projection_type      = "INCLUDE"
        non_key_attributes   = ["total"]
        read_capacity        = 3
        write_capacity       = 4
        on_demand_throughput = []
      },
    ]
    local_secondary_index = [
      {
        name               = "by-digest"
        range_key          = "digest"
        projection_type    = "KEYS_ONLY"
        non_key_attributes = []
      },
    ]
  }
}

mock_resource "aws_sqs_queue" {
  defaults = {
    arn = "arn:aws:sqs:eu-central-1:111111111111:failures"
    url = "https://sqs.eu-central-1.amazonaws.com/111111111111/failures"
  }
}

mock_resource "aws_iam_role" {
  defaults = {
    arn = "arn:aws:iam::111111111111:role/function"
  }
}

mock_resource "aws_lambda_function" {
  defaults = {
    arn = "arn:aws:lambda:eu-central-1:111111111111:function:function"
  }
}

mock_resource "aws_sfn_state_machine" {
  defaults = {
    arn = "arn:aws:states:eu-central-1:111111111111:stateMachine:machine"
  }
}
