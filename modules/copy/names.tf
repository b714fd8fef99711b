# All names: prefix, source table, a hash of both tables' locations, part. The hash distinguishes copies of one table to
# several accounts, and tables whose truncated names are equal.

locals {
  tables_hash = sha256(join("|", [
    local.record.source.account_id, local.record.source.region, local.record.source.table_name,
    local.record.destination.account_id, local.record.destination.region, local.record.destination.table_name,
  ]))

  # Roles and functions allow 64 characters. The longest suffix, "-state-machine", takes 14 and the hash 9. A table's name may
  # contain '.', a function's may not.
  copy_name = "${substr(replace("${var.name}-${var.source_table.name}", ".", "-"), 0, 64 - 14 - 9)}-${substr(local.tables_hash, 0, 8)}"

  names = {
    copy             = local.copy_name
    journal          = "${local.copy_name}-journal"
    replicator       = "${local.copy_name}-replicator"
    failure_queue    = "${local.copy_name}-failures"
    backfill         = "${local.copy_name}-backfill"
    state_machine    = "${local.copy_name}-state-machine"
    control          = "${local.copy_name}-control"
    reconciler       = "${local.copy_name}-reconciler"
    schedule         = "${local.copy_name}-schedule"
    verifier         = "${local.copy_name}-verifier"
    verification     = "${local.copy_name}-verification"
    tracker          = "${local.copy_name}-tracker"
    tracking         = "${local.copy_name}-tracking"
    reader_role      = "${local.copy_name}-reader"
    destination_role = "${local.copy_name}-destination"
    alarm_topic      = "${local.copy_name}-alarms"
    dashboard        = "${local.copy_name}-dashboard"
  }
}
