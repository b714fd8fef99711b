# The journal holds keys of the user's items: it is encrypted as the source is.

mock_provider "aws" {}

variables {
  name       = "journal"
  stream_arn = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders/stream/2026-01-01T00:00:00.000"
}

run "a_source_under_the_key_aws_owns" {
  command = plan

  module {
    source = "./modules/journal"
  }

  variables {
    kms = false
  }

  assert {
    condition     = length(aws_dynamodb_table.this.server_side_encryption) == 0
    error_message = "A journal without KMS must not ask for it."
  }
}

run "a_source_under_the_key_aws_manages" {
  command = plan

  module {
    source = "./modules/journal"
  }

  variables {
    kms = true
  }

  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].enabled
    error_message = "The journal must be under KMS as the source is."
  }
}

run "a_source_under_a_key_of_ones_own" {
  command = plan

  module {
    source = "./modules/journal"
  }

  variables {
    kms         = true
    kms_key_arn = "arn:aws:kms:eu-central-1:111111111111:key/1"
  }

  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == "arn:aws:kms:eu-central-1:111111111111:key/1"
    error_message = "The journal must be under the source's own key."
  }
}
