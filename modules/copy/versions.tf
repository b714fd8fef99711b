terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 6.13 to 6.28 plan to replace every index of a table once its warm throughput has grown; 6.29.0 panics on the
      # indexes' dynamic blocks. Terraform applies this to the whole configuration, so the other modules need no list.
      version               = ">= 5.100, < 7.0, != 6.13.0, != 6.14.0, != 6.14.1, != 6.15.0, != 6.16.0, != 6.17.0, != 6.18.0, != 6.19.0, != 6.20.0, != 6.21.0, != 6.22.0, != 6.22.1, != 6.23.0, != 6.24.0, != 6.25.0, != 6.26.0, != 6.27.0, != 6.28.0, != 6.29.0"
      configuration_aliases = [aws.source, aws.destination]
    }
  }
}
