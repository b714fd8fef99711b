# Copies one table to another account, with every setting. The module has its own providers.

module "copy" {
  source = "../.."

  source_table = {
    name    = var.table_name
    region  = var.source_region
    profile = var.source_profile
  }

  destination_table = {
    name    = var.destination_table_name
    region  = var.destination_region
    profile = var.destination_profile
  }

  # Settings that differ from the source table's.
  destination_definition = {
    point_in_time_recovery = { enabled = true }
    deletion_protection    = var.deletion_protection

    # Warmed for the backfill, with the command in the output `commands.warm_throughput`.
    warm_throughput = { read_units_per_second = 12000, write_units_per_second = 8000 }
  }

  # After the cutover, `false` removes everything except the destination table.
  enabled        = var.enabled
  start_on_apply = true

  name = "tablecopy"

  backfill = {
    segments             = 16
    concurrency          = 16
    read_capacity        = 2000
    write_capacity       = 4000
    slice_seconds        = 3600
    memory_mb            = 512
    reserved_concurrency = 16
  }

  replicator = {
    batch_size              = 1000
    batching_window_seconds = 1
    memory_mb               = 512
    reserved_concurrency    = 4
  }

  control = {
    drained_after_seconds = 60
    record_age_fraction   = 0.5
    reserved_concurrency  = 2
  }

  # Comparison of both tables in the source account.
  verification = {
    enabled                   = true
    segments                  = 16
    concurrency               = 8
    read_capacity             = 2000
    destination_read_capacity = 2000
    timeout_seconds           = 900
    memory_mb                 = 1769
    reserved_concurrency      = 8
  }

  # Requirements of an organization.
  roles = {
    path                                 = "/platform/"
    source_permissions_boundary_arn      = var.source_permissions_boundary_arn
    destination_permissions_boundary_arn = var.destination_permissions_boundary_arn
  }
  external_id        = "orders-move-2026"
  kms_key_arn        = var.kms_key_arn
  vpc                = var.vpc
  architecture       = "arm64"
  log_retention_days = 365

  alarms = {
    unapplied_change_age_fraction = 0.25
    topic_arns                    = var.alarm_topic_arns
    create_topic                  = true
    email_addresses               = var.alarm_email_addresses
  }
  dashboard = true

  prices = {
    currency          = "USD"
    read_per_million  = 0.125
    write_per_million = 0.625
  }

  tags = {
    Project = "account-move"
  }
}
