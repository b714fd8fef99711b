# Names hold AWS's limits and keep copies apart.
#
# Run on modules/copy/names.tf alone, laid beside these files, as tests/rules are: no provider has to be started.

run "short" {
  command = plan

  assert {
    condition     = can(regex("^tablecopy-orders-[0-9a-f]{8}-replicator$", local.names.replicator))
    error_message = "Unexpected name: ${local.names.replicator}"
  }

  # Also where both tables are in one account, and the destination role among the others.
  assert {
    condition     = length(distinct(values(local.names))) == length(local.names) && alltrue([for name in values(local.names) : startswith(name, local.copy_name)])
    error_message = "Names of one copy must be one family, and differ: ${jsonencode(local.names)}"
  }
}

run "other_destination_account" {
  command = plan

  variables {
    destination_location = { account_id = "333333333333" }
  }

  assert {
    condition     = !anytrue([for name in values(local.names) : startswith(name, run.short.copy_name)])
    error_message = "Two copies of one table to two accounts must not collide: ${jsonencode(local.names)}"
  }
}

run "other_destination_region" {
  command = plan

  variables {
    destination_location = { region = "eu-north-1" }
  }

  assert {
    condition     = !anytrue([for name in values(local.names) : startswith(name, run.short.copy_name)])
    error_message = "Two copies of one table to two regions must not collide: ${jsonencode(local.names)}"
  }
}

# Roles are one to an account, whatever the region: two tables of one name in two regions of one account.
run "other_source_region" {
  command = plan

  variables {
    source_location = { region = "eu-north-1" }
  }

  assert {
    condition     = !anytrue([for name in values(local.names) : startswith(name, run.short.copy_name)])
    error_message = "Copies from two regions of one account must not collide: ${jsonencode(local.names)}"
  }
}

# Copies into one account, where the destination roles would collide.
run "other_source_account" {
  command = plan

  variables {
    source_location = { account_id = "444444444444" }
  }

  assert {
    condition     = !anytrue([for name in values(local.names) : startswith(name, run.short.copy_name)])
    error_message = "Copies from two accounts into one must not collide: ${jsonencode(local.names)}"
  }
}

run "other_destination_name" {
  command = plan

  variables {
    destination_location = { table_name = "orders-2" }
  }

  assert {
    condition     = !anytrue([for name in values(local.names) : startswith(name, run.short.copy_name)])
    error_message = "Two copies of one table within an account must not collide: ${jsonencode(local.names)}"
  }
}

run "dots_become_dashes" {
  command = plan

  variables {
    source_table = { name = "prod.orders_2" }
  }

  assert {
    condition     = can(regex("^tablecopy-prod-orders_2-[0-9a-f]{8}-replicator$", local.names.replicator))
    error_message = "A function's name holds no dot: ${local.names.replicator}"
  }
}

# 255 characters, the most a table's name may have.
run "longest" {
  command = plan

  variables {
    name         = "abcdefghijklmnopqrst"
    source_table = { name = format("%0255d", 1) }
  }

  # Functions, roles and schedules allow 64 characters; queues and state machines 80; tables, alarms and all else more.
  # What a function's name may hold, all the others may.
  assert {
    condition     = alltrue([for name in values(local.names) : length(name) <= 64 && can(regex("^[a-zA-Z0-9_-]+$", name))])
    error_message = "Too long, or with other signs: ${jsonencode({ for key, name in local.names : key => length(name) })}"
  }

  assert {
    condition     = anytrue([for name in values(local.names) : length(name) == 64])
    error_message = "Cut more than need be: ${jsonencode({ for key, name in local.names : key => length(name) })}"
  }
}

run "equal_where_cut" {
  command = plan

  variables {
    name         = "abcdefghijklmnopqrst"
    source_table = { name = format("%0255d", 2) }
  }

  assert {
    condition     = output.copy_name != run.longest.copy_name
    error_message = "Two tables whose names differ only where they are cut must not collide."
  }
}
