# Whether an apply may start the run.
#
# Only the first journal's run starts by itself. An empty journal after it says nothing about the destination, which may
# have been cut over long ago: whether the copy was disabled and enabled again, the journal deleted or renamed, or the
# stream is another one, the next run waits for `tablecopy start`.

# Not behind `enabled`: it outlives the journals.
resource "terraform_data" "first_journal" {
  input = one(module.journal[*].generation)

  lifecycle {
    ignore_changes = [input]
  }
}

locals {
  start_on_apply = var.start_on_apply && terraform_data.first_journal.input == one(module.journal[*].generation)
}
