# tflint --init, then tflint --recursive --config "$PWD/.tflint.hcl". Neither make lint nor the workflow runs it: its
# plugins come from GitHub only, and what it asks for beyond `terraform validate` is tested in
# tests/terraform/test_declarations.py.

tflint {
  required_version = ">= 0.50"
}

config {
  call_module_type = "local"
}

plugin "terraform" {
  enabled = true
  preset  = "all"
}

plugin "aws" {
  enabled = true
  version = "0.44.0"
  source  = "github.com/terraform-linters/tflint-ruleset-aws"
}

# A module's files are named after what they hold: record.tf, names.tf, role.tf. Variables and outputs are where
# this rule wants them; it asks for an empty outputs.tf as well where there is none.
rule "terraform_standard_module_structure" {
  enabled = false
}
