"""What the commands share: sides, errors, options, output and Terraform outputs."""
