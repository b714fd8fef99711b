# Commands to paste. Without a value a flag is left out, and the command finds credentials as usual.

locals {
  sides = {
    source      = merge(var.source_table, { name = var.source_table.name, region = local.record.source.region })
    destination = merge(var.destination_table, { name = local.destination_name, region = local.record.destination.region })
  }

  # Access settings of each side. Values with other characters than these need quotes in a shell.
  access = {
    for side, at in local.sides : side => {
      for flag in ["region", "profile", "role_arn", "external_id"] :
      flag => can(regex("^[A-Za-z0-9_./:@=,+-]+$", at[flag])) ? at[flag] : "'${replace(at[flag], "'", "'\\''")}'"
      if at[flag] != null
    }
  }

  access_flags = {
    for side, access in local.access : side => join(" ", [
      for flag in ["region", "profile", "role_arn", "external_id"] :
      "--${side}-${replace(flag, "_", "-")} ${access[flag]}" if contains(keys(access), flag)
    ])
  }

  # The AWS CLI has no flag for a role.
  aws = {
    for side, access in local.access : side => join(" ", [
      for flag in ["region", "profile"] : "--${flag} ${access[flag]}" if contains(keys(access), flag)
    ])
  }

  operate = { for action in ["start", "status", "watch", "dead-letters", "redrive", "seal"] : replace(action, "-", "_") => (
    var.enabled ? "tablecopy ${action} --control-function ${local.names.control} ${local.access_flags.source}" : null
  ) }

  verify = join(" ", concat(
    ["verify --source ${local.sides.source.name}", local.access_flags.source],
    ["--destination ${local.sides.destination.name}", local.access_flags.destination],
    # Control knows the dead letters and the lag.
    var.enabled ? ["--control-function ${local.names.control}"] : [],
  ))

  time_to_live = local.recorded.time_to_live_attribute == null ? null : (
    "aws dynamodb update-time-to-live ${local.aws.destination} --table-name ${local.destination_name} --time-to-live-specification 'Enabled=true,AttributeName=${replace(local.recorded.time_to_live_attribute, "'", "'\\''")}'"
  )

  warm = local.override.warm_throughput == null ? null : {
    ReadUnitsPerSecond  = local.override.warm_throughput.read_units_per_second
    WriteUnitsPerSecond = local.override.warm_throughput.write_units_per_second
  }

  # With its indexes, because an index without enough write units throttles the table.
  warm_throughput = local.warm == null ? null : join(" ", concat(
    ["aws dynamodb update-table ${local.aws.destination} --table-name ${local.destination_name} --warm-throughput '${jsonencode(local.warm)}'"],
    length(local.definition.global_secondary_indexes) == 0 ? [] : ["--global-secondary-index-updates '${jsonencode([
      for name in sort(keys(local.definition.global_secondary_indexes)) : { Update = { IndexName = name, WarmThroughput = local.warm } }
    ])}'"],
  ))

  # The provider cannot read the scalable targets, which you can register for the destination table.
  auto_scaling = local.recorded.billing_mode != "PROVISIONED" ? null : (
    "aws application-autoscaling describe-scalable-targets ${local.aws.source} --service-namespace dynamodb --resource-ids ${join(" ", concat(
      ["table/${var.source_table.name}"],
      [for name in sort(keys(local.recorded.global_secondary_indexes)) : "table/${var.source_table.name}/index/${name}"],
    ))}"
  )

  # In this order. `tablecopy cutover` asks for the writers to be stopped.
  cutover = !var.enabled ? [] : compact([
    "${local.verify} --in-account",
    replace(local.operate.seal, "tablecopy seal ", "tablecopy cutover "),
    local.time_to_live,
  ])

  # In this order, after the writers have stopped.
  cutover_with_a_comparison = !var.enabled ? [] : compact([
    "${local.operate.watch} --until ready",
    "${local.verify} --writes-stopped",
    local.operate.seal,
    local.time_to_live,
  ])

  commands = merge(local.operate, {
    verify          = local.verify
    time_to_live    = local.time_to_live
    warm_throughput = local.warm_throughput
    auto_scaling    = local.auto_scaling

    cutover = !var.enabled ? null : var.verification.enabled ? local.cutover : local.cutover_with_a_comparison
  })
}
