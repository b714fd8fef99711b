# A caller whose module block depends on something that may be about to change: Terraform then puts off every data
# source in it to the apply.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  alias   = "source"
  region  = "eu-west-1"
  profile = "source"
}

provider "aws" {
  alias   = "destination"
  region  = "eu-west-1"
  profile = "destination"
}

variable "generation" {
  description = "Another value is a pending change."
  type        = number
}

resource "terraform_data" "upstream" {
  input = var.generation
}

resource "aws_dynamodb_table" "source" {
  provider = aws.source

  name             = "deferred"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "customer"
  range_key        = "number"
  stream_enabled   = true
  stream_view_type = "NEW_IMAGE"

  attribute {
    name = "customer"
    type = "S"
  }

  attribute {
    name = "number"
    type = "N"
  }

  attribute {
    name = "digest"
    type = "B"
  }

  local_secondary_index {
    name            = "by-digest"
    range_key       = "digest"
    projection_type = "ALL"
  }
}

module "copy" {
  source = "../../../modules/copy"

  source_table           = { name = aws_dynamodb_table.source.name }
  destination_definition = { deletion_protection = false }
  start_on_apply         = false

  providers = {
    aws.source      = aws.source
    aws.destination = aws.destination
  }

  depends_on = [terraform_data.upstream]
}

output "state_machine_arn" {
  description = "A name of the copy, to see that it stays."
  value       = module.copy.state_machine_arn
}
