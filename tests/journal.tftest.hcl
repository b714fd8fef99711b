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

# Encryption is chosen once: who may open the journal follows the key it was created under.
run "created_under_a_key" {
  module {
    source = "./modules/journal"
  }

  variables {
    kms         = true
    kms_key_arn = "arn:aws:kms:eu-central-1:111111111111:key/1"
  }

  assert {
    condition     = output.kms_key_arn == "arn:aws:kms:eu-central-1:111111111111:key/1"
    error_message = "The functions must be able to open the journal: ${jsonencode(output.kms_key_arn)}"
  }
}

run "the_key_is_no_longer_given" {
  module {
    source = "./modules/journal"
  }

  variables {
    kms = false
  }

  assert {
    condition     = output.kms_key_arn == "arn:aws:kms:eu-central-1:111111111111:key/1" && output.generation == run.created_under_a_key.generation
    error_message = "The journal is still under its first key, and still the same: ${jsonencode(output.kms_key_arn)}"
  }
}

run "another_stream" {
  module {
    source = "./modules/journal"
  }

  variables {
    kms        = false
    stream_arn = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders/stream/2026-02-02T00:00:00.000"
  }

  assert {
    condition     = output.generation != run.created_under_a_key.generation
    error_message = "A new journal must be told from the one before."
  }

  assert {
    condition     = output.kms_key_arn == null
    error_message = "A new journal is created as it is asked for now: ${jsonencode(output.kms_key_arn)}"
  }
}
