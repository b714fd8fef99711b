# The commands to paste. A flag is named only when it has a value: unset means the ordinary chain of credentials.

locals {
  sides = {
    source      = merge(var.source_table, { name = var.source_table.name, region = local.record.source.region })
    destination = merge(var.destination_table, { name = local.destination_name, region = local.record.destination.region })
  }

  access_flags = {
    for side, at in local.sides : side => join(" ", [
      for flag in ["region", "profile", "role_arn", "external_id"] :
      # A shell takes these characters as they are; anything else goes in quotes.
      "--${side}-${replace(flag, "_", "-")} ${can(regex("^[A-Za-z0-9_./:@=,+-]+$", at[flag])) ? at[flag] : "'${replace(at[flag], "'", "'\\''")}'"}"
      if at[flag] != null
    ])
  }

  operate = { for action in ["start", "status", "letters", "redrive", "seal"] : action => (
    var.enabled ? "tablecopy ${action} --control-function ${local.names.control} ${local.access_flags.source}" : null
  ) }

  commands = merge(local.operate, {
    verify = join(" ", concat(
      ["verify --source ${local.sides.source.name}", local.access_flags.source],
      ["--destination ${local.sides.destination.name}", local.access_flags.destination],
      # Knows the dead letters and the lag.
      var.enabled ? ["--control-function ${local.names.control}"] : [],
    ))
  })
}
