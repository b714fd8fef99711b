module "copy" {
  source = "./modules/copy"

  source_table           = var.source_table
  destination_table      = var.destination_table
  destination_definition = var.destination_definition

  enabled            = var.enabled
  start_on_apply     = var.start_on_apply
  name               = var.name
  backfill           = var.backfill
  replicator         = var.replicator
  control            = var.control
  verification       = var.verification
  prices             = var.prices
  alarms             = var.alarms
  dashboard          = var.dashboard
  architecture       = var.architecture
  roles              = var.roles
  external_id        = var.external_id
  vpc                = var.vpc
  kms_key_arn        = var.kms_key_arn
  log_retention_days = var.log_retention_days
  tags               = var.tags

  providers = {
    aws.source      = aws.source
    aws.destination = aws.destination
  }
}
