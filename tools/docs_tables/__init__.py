"""The tables of inputs and outputs in the README files, written from the Terraform modules themselves."""
