locals {
  count = var.enabled ? 1 : 0

  # Settings that all functions share.
  function = {
    location           = local.record.source
    table_key_arns     = local.table_key_arns
    kms_key_arn        = var.kms_key_arn
    role               = local.roles.source
    vpc                = var.vpc
    architecture       = var.architecture
    log_retention_days = var.log_retention_days
    tags               = var.tags
  }

  environment = {
    COPY_NAME               = local.copy_name
    JOURNAL_TABLE           = local.names.journal
    SOURCE_TABLE            = var.source_table.name
    DESTINATION_TABLE       = local.destination_name
    DESTINATION_REGION      = local.record.destination.region
    DESTINATION_ROLE_ARN    = module.destination.role_arn
    DESTINATION_EXTERNAL_ID = local.external_id
  }

  # For the workers, which keep to them, and the reconciler, which calculates with them. Empty: no budget.
  budgets = {
    READ_CAPACITY  = var.backfill.read_capacity == null ? "" : tostring(var.backfill.read_capacity)
    WRITE_CAPACITY = var.backfill.write_capacity == null ? "" : tostring(var.backfill.write_capacity)
  }

  external_id = coalesce(var.external_id, terraform_data.external_id.id)

  roles = {
    source      = { path = var.roles.path, permissions_boundary_arn = var.roles.source_permissions_boundary_arn }
    destination = { path = var.roles.path, permissions_boundary_arn = var.roles.destination_permissions_boundary_arn }
  }

  # The journal holds keys of the source's items: it is encrypted as they are, and under a key of the caller's own where
  # there is one. Null: the key that AWS manages, or owns.
  journal_key_arn = var.source_table.customer_managed_key ? local.record.encryption.kms_key_arn : var.kms_key_arn

  # Of the source table and the journal: the key a table was found or created under, which it may still be under, and the
  # one it is reported to be under now.
  table_key_arns = distinct(compact([
    local.record.encryption.kms_key_arn,
    try(local.observed.encryption.kms_key_arn, null),
    one(module.journal[*].kms_key_arn),
  ]))

  # Executions the copy takes of those the account leaves to all functions. The replicator takes one for each open
  # shard; preflight counts those.
  unreserved_concurrency = sum([
    var.backfill.reserved_concurrency == null ? var.backfill.concurrency : 0,
    var.replicator.reserved_concurrency == null ? 1 : 0,
    var.control.reserved_concurrency == null ? 1 : 0,
    # Control, which answers operators.
    1,
  ])
}

module "journal" {
  source = "../journal"
  count  = local.count

  name        = local.names.journal
  stream_arn  = local.record.source.stream_arn
  kms         = local.record.encryption.kms_key_arn != null || local.journal_key_arn != null
  kms_key_arn = local.journal_key_arn
  tags        = var.tags

  providers = { aws = aws.source }
}

# All that the destination table is created after, and that a destroy reaches after it: a table under deletion protection
# stops the destroy before anything of the copy is gone. Control's schedule is left out: nothing may look after the run
# before there is a table, and Terraform sets the schedule up again.
resource "terraform_data" "copy" {
  # By index: a splat would wait for all of the module.
  input = var.enabled ? [module.control[0].function_arn, module.control[0].reconciler_function_arn] : []

  depends_on = [module.journal, module.replicator, module.backfill, module.alarms, module.dashboard]
}

# Not behind `enabled`: the table stays when the copy goes.
module "destination" {
  source = "../destination"

  enabled            = var.enabled
  table_name         = local.destination_name
  create             = var.destination_table.create
  definition         = local.definition
  location           = local.record.destination
  copy               = terraform_data.copy.id
  role_name          = local.names.destination_role
  external_id        = local.external_id
  role               = local.roles.destination
  trusted_account_id = local.record.source.account_id
  # By index: a splat would wait for all of these modules' outputs, which in turn wait for the destination role.
  trusted_role_arns = var.enabled ? [
    module.replicator[0].role_arn,
    module.backfill[0].role_arn,
    module.control[0].reconciler_role_arn,
  ] : []
  tags = var.tags

  providers = { aws = aws.destination }
}

module "replicator" {
  source = "../replicator"
  count  = local.count

  function             = local.function
  environment          = local.environment
  names                = local.names
  settings             = var.replicator
  stream_arn           = local.record.source.stream_arn
  journal              = module.journal[0]
  destination_role_arn = module.destination.role_arn

  providers = { aws = aws.source }
}

module "backfill" {
  source = "../backfill"
  count  = local.count

  function             = local.function
  environment          = merge(local.environment, local.budgets)
  names                = local.names
  settings             = var.backfill
  source_table_arn     = local.record.source.table_arn
  journal_arn          = module.journal[0].arn
  destination_role_arn = module.destination.role_arn

  providers = { aws = aws.source }
}

module "control" {
  source = "../control"
  count  = local.count

  function    = local.function
  environment = merge(local.environment, local.budgets)
  names       = local.names
  # What both have, as memory_mb, is control's.
  settings = merge(var.backfill, var.control, {
    start_on_apply         = local.start_on_apply
    prices                 = var.prices
    allow_items            = var.destination_table.allow_items
    unreserved_concurrency = local.unreserved_concurrency
    replicator_reserved    = var.replicator.reserved_concurrency != null
    streams_endpoint_url   = try(var.vpc.dynamodb_streams_endpoint_url, null)
  })
  source_table_arn      = local.record.source.table_arn
  stream_arn            = local.record.source.stream_arn
  journal               = module.journal[0]
  replicator            = module.replicator[0]
  backfill              = module.backfill[0]
  destination_role_arn  = module.destination.role_arn
  destination_table_arn = module.destination.table_arn

  providers = { aws = aws.source }
}

locals {
  # Half of what the run promises, where nothing else is said.
  unapplied_change_age_seconds = floor(24 * 3600 * coalesce(
    var.alarms.unapplied_change_age_fraction, var.control.record_age_fraction / 2
  ))
}

# Alarms and dashboard name what they look at: nothing here waits for the functions.
module "alarms" {
  source = "../alarms"
  count  = var.enabled && var.alarms.enabled ? 1 : 0

  names                        = local.names
  location                     = local.record.source
  unapplied_change_age_seconds = local.unapplied_change_age_seconds
  settings                     = var.alarms
  kms_key_arn                  = var.kms_key_arn
  tags                         = var.tags

  providers = { aws = aws.source }
}

module "dashboard" {
  source = "../dashboard"
  count  = var.enabled && var.dashboard ? 1 : 0

  names                        = local.names
  source_table                 = local.record.source
  destination_table            = local.record.destination
  status_command               = local.commands.status
  alarm_arns                   = try(module.alarms[0].arns, [])
  unapplied_change_age_seconds = local.unapplied_change_age_seconds

  providers = { aws = aws.source }
}
