# Copies one table to another account, with everything said that can be said. The module brings its own providers.

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

    create              = true
    deletion_protection = var.deletion_protection
  }

  # After the cutover, `false` removes everything but the destination table.
  enabled = var.enabled

  name = "tablecopy"

  backfill = {
    segments       = 16
    concurrency    = 16
    read_capacity  = 2000
    write_capacity = 4000
    slice_seconds  = 3600
  }

  replicator = {
    batch_size              = 1000
    batching_window_seconds = 1
  }

  control = {
    record_age_fraction = 0.5
  }

  prices = {
    currency          = "USD"
    read_per_million  = 0.125
    write_per_million = 0.625
  }

  alarms = {
    unapplied_change_age_fraction = 0.25
    topic_arns                    = var.alarm_topic_arns
    create_topic                  = true
    email_addresses               = var.alarm_email_addresses
  }

  dashboard = true

  log_retention_days = 90

  tags = {
    Project = "account-move"
  }
}
