locals {
  count = var.enabled ? 1 : 0

  # Settings that all functions share.
  function = {
    location           = local.record.source
    table_key_arns     = local.table_key_arns
    kms_key_arn        = var.kms_key_arn
    role               = { path = var.roles.path, permissions_boundary_arn = var.roles.source_permissions_boundary_arn }
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

  # The workers observe the budgets, and the reconciler calculates with them. Empty for none.
  budgets = {
    READ_CAPACITY  = var.backfill.read_capacity == null ? "" : tostring(var.backfill.read_capacity)
    WRITE_CAPACITY = var.backfill.write_capacity == null ? "" : tostring(var.backfill.write_capacity)
  }

  start_on_apply = var.start_on_apply && terraform_data.first_journal.input == one(module.journal[*].generation)
  external_id    = coalesce(var.external_id, terraform_data.external_id.id)

  # The journal holds keys of the source table's items, so it is encrypted as they are, with the user's own key if there is
  # one. Null for a key that AWS manages or owns.
  journal_key_arn = var.source_table.customer_managed_key ? local.record.encryption.kms_key_arn : var.kms_key_arn

  # Keys of the source table and the journal: the first key of each, which may still be in use, and the source table's present
  # key.
  table_key_arns = distinct(compact([
    local.record.encryption.kms_key_arn,
    try(local.observed.encryption.kms_key_arn, null),
    one(module.journal[*].kms_key_arn),
  ]))

  # Unreserved executions that the copy needs. The replicator needs one for each open shard, which preflight counts.
  unreserved_concurrency = sum([
    var.backfill.reserved_concurrency == null ? var.backfill.concurrency : 0,
    var.replicator.reserved_concurrency == null ? 1 : 0,
    var.control.reserved_concurrency == null ? 1 : 0,
    1,                                # Control.
    var.verification.enabled ? 1 : 0, # The tracker.
  ])

  reader_role_arn = "arn:${local.record.destination.partition}:iam::${local.record.destination.account_id}:role${var.roles.path}${local.names.reader_role}"
}

# Only the first journal's run starts by itself. A later empty journal says nothing about the destination, which may have
# been cut over long ago, so its run waits for `tablecopy start`. Without a count, because it outlives the journals.
resource "terraform_data" "first_journal" {
  input = one(module.journal[*].generation)

  lifecycle {
    ignore_changes = [input]
  }
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

# The parts that are created before the destination table and destroyed after it. A table under deletion protection thus stops
# a destroy before any part of the copy is gone. The schedule is not among them: the run must not start before the table exists.
resource "terraform_data" "copy" {
  # An index, because a splat would wait for the whole module.
  input = var.enabled ? [module.control[0].control_function.arn, module.control[0].reconciler_function.arn] : []

  depends_on = [module.journal, module.replicator, module.backfill, module.alarms, module.dashboard]
}

# Without a count, because the table stays when the copy is disabled.
module "destination" {
  source = "../destination"

  enabled    = var.enabled
  table_name = local.destination_name
  create     = var.destination_table.create
  definition = local.definition
  location   = local.record.destination
  copy       = terraform_data.copy.id
  role = {
    name                     = local.names.destination_role
    path                     = var.roles.path
    permissions_boundary_arn = var.roles.destination_permissions_boundary_arn
    external_id              = local.external_id
    trusted_account_id       = local.record.source.account_id
  }
  # Indexes, because a splat would wait for all of these modules' outputs, which in turn wait for the destination role.
  trusted_role_arns = var.enabled ? [
    module.replicator[0].role_arn,
    module.backfill[0].role_arn,
    module.control[0].role_arns.reconciler,
  ] : []
  reader = var.verification.enabled && var.enabled ? {
    name              = local.names.reader_role
    trusted_role_arns = [module.verification[0].role_arn, module.tracker[0].role_arn]
  } : null
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

module "verification" {
  source = "../verification"
  count  = var.enabled && var.verification.enabled ? 1 : 0

  function         = local.function
  environment      = local.environment
  names            = local.names
  settings         = var.verification
  source_table_arn = local.record.source.table_arn
  journal_arn      = module.journal[0].arn
  # Built, not referenced, because the role trusts the function's role.
  destination_role_arn = local.reader_role_arn

  providers = { aws = aws.source }
}

module "tracker" {
  source = "../tracker"
  count  = var.enabled && var.verification.enabled ? 1 : 0

  function    = local.function
  environment = local.environment
  names       = local.names
  settings = merge(var.verification, {
    # An endpoint of the source's region does not lead to the stream of another one.
    streams_endpoint_url = local.record.destination.region == local.record.source.region ? try(var.vpc.dynamodb_streams_endpoint_url, null) : null
  })
  source_table_arn     = local.record.source.table_arn
  journal_arn          = module.journal[0].arn
  destination_role_arn = local.reader_role_arn

  providers = { aws = aws.source }
}

module "control" {
  source = "../control"
  count  = local.count

  function    = local.function
  environment = merge(local.environment, local.budgets)
  names       = local.names
  # Settings that both have, for example memory_mb, are control's.
  settings = merge(var.backfill, var.control, {
    start_on_apply         = local.start_on_apply
    prices                 = var.prices
    allow_items            = var.destination_table.allow_items
    unreserved_concurrency = local.unreserved_concurrency
    replicator_reserved    = var.replicator.reserved_concurrency != null
    streams_endpoint_url   = try(var.vpc.dynamodb_streams_endpoint_url, null)
  })
  source_table_arn = local.record.source.table_arn
  stream_arn       = local.record.source.stream_arn
  journal          = module.journal[0]
  replicator       = module.replicator[0]
  backfill         = module.backfill[0]
  verification = !var.verification.enabled ? null : {
    tracker       = module.tracker[0].function
    state_machine = module.verification[0].state_machine
    segments      = var.verification.segments
    concurrency   = var.verification.concurrency
  }
  destination_role_arn  = module.destination.role_arn
  destination_table_arn = module.destination.table_arn

  providers = { aws = aws.source }
}

locals {
  # By default half of the age at which a run stops.
  unapplied_change_age_seconds = floor(24 * 3600 * coalesce(
    var.alarms.unapplied_change_age_fraction, var.control.record_age_fraction / 2
  ))
}

# Alarms and dashboard refer to functions by name and do not wait for them.
module "alarms" {
  source = "../alarms"
  count  = var.enabled && var.alarms.enabled ? 1 : 0

  names                        = local.names
  verification                 = var.verification.enabled
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
  verification                 = var.verification.enabled
  source_table                 = local.record.source
  destination_table            = local.record.destination
  status_command               = local.commands.status
  alarm_arns                   = try(module.alarms[0].arns, [])
  unapplied_change_age_seconds = local.unapplied_change_age_seconds

  providers = { aws = aws.source }
}
