locals {
  count = var.enabled ? 1 : 0

  # What every function is told.
  environment = {
    COPY_NAME               = local.copy_name
    JOURNAL_TABLE           = local.names.journal
    SOURCE_TABLE            = var.source_table.name
    DESTINATION_TABLE       = local.destination_name
    DESTINATION_REGION      = local.record.destination.region
    DESTINATION_ROLE_ARN    = module.destination.role_arn
    DESTINATION_EXTERNAL_ID = local.external_id
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

  # Empty: no budget. The workers keep them, and control reckons with them.
  budgets = {
    READ_CAPACITY  = var.backfill.read_capacity == null ? "" : tostring(var.backfill.read_capacity)
    WRITE_CAPACITY = var.backfill.write_capacity == null ? "" : tostring(var.backfill.write_capacity)
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
  place              = local.record.destination
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

  name                 = local.names.replicator
  queue_name           = local.names.failure_queue
  settings             = var.replicator
  place                = local.record.source
  environment          = local.environment
  stream_arn           = local.record.source.stream_arn
  journal_arn          = module.journal[0].arn
  journal_generation   = module.journal[0].generation
  table_key_arns       = local.table_key_arns
  kms_key_arn          = var.kms_key_arn
  role                 = local.roles.source
  vpc                  = var.vpc
  destination_role_arn = module.destination.role_arn
  architecture         = var.architecture
  log_retention_days   = var.log_retention_days
  tags                 = var.tags

  providers = { aws = aws.source }
}

module "backfill" {
  source = "../backfill"
  count  = local.count

  name                 = local.names.backfill
  state_machine_name   = local.names.state_machine
  settings             = var.backfill
  place                = local.record.source
  environment          = merge(local.environment, local.budgets)
  source_table_arn     = local.record.source.table_arn
  journal_arn          = module.journal[0].arn
  table_key_arns       = local.table_key_arns
  kms_key_arn          = var.kms_key_arn
  role                 = local.roles.source
  vpc                  = var.vpc
  destination_role_arn = module.destination.role_arn
  architecture         = var.architecture
  log_retention_days   = var.log_retention_days
  tags                 = var.tags

  providers = { aws = aws.source }
}

module "control" {
  source = "../control"
  count  = local.count

  name            = local.names.control
  reconciler_name = local.names.reconciler
  schedule_name   = local.names.schedule
  settings = {
    start_on_apply         = local.start_on_apply
    segments               = var.backfill.segments
    concurrency            = var.backfill.concurrency
    slice_seconds          = var.backfill.slice_seconds
    drained_after_seconds  = var.control.drained_after_seconds
    record_age_fraction    = var.control.record_age_fraction
    prices                 = var.prices
    allow_items            = var.destination_table.allow_items
    memory_mb              = var.control.memory_mb
    reserved_concurrency   = var.control.reserved_concurrency
    unreserved_concurrency = local.unreserved_concurrency
    replicator_reserved    = var.replicator.reserved_concurrency != null
  }
  place                    = local.record.source
  environment              = merge(local.environment, local.budgets)
  source_table_arn         = local.record.source.table_arn
  stream_arn               = local.record.source.stream_arn
  journal_arn              = module.journal[0].arn
  table_key_arns           = local.table_key_arns
  kms_key_arn              = var.kms_key_arn
  role                     = local.roles.source
  vpc                      = var.vpc
  streams_endpoint_url     = try(var.vpc.dynamodb_streams_endpoint_url, null)
  event_source_mapping     = module.replicator[0].event_source_mapping
  failure_queue            = module.replicator[0].failure_queue
  state_machine_arn        = module.backfill[0].state_machine_arn
  state_machine_executions = module.backfill[0].state_machine_executions
  destination_role_arn     = module.destination.role_arn
  destination_table_arn    = module.destination.table_arn
  architecture             = var.architecture
  log_retention_days       = var.log_retention_days
  tags                     = var.tags

  providers = { aws = aws.source }
}

# What alarms and dashboard look at, by name: nothing here waits for the functions.
locals {
  function_names = {
    replicator = local.names.replicator
    backfill   = local.names.backfill
    reconciler = local.names.reconciler
    control    = local.names.control
  }

  # Half of what the run promises, where nothing else is said.
  unapplied_change_age_seconds = floor(24 * 3600 * coalesce(
    var.alarms.unapplied_change_age_fraction, var.control.record_age_fraction / 2
  ))
}

module "alarms" {
  source = "../alarms"
  count  = var.enabled && var.alarms.enabled ? 1 : 0

  name                         = local.names.alarm
  copy_name                    = local.copy_name
  place                        = local.record.source
  failure_queue_name           = local.names.failure_queue
  state_machine_name           = local.names.state_machine
  function_names               = local.function_names
  unapplied_change_age_seconds = local.unapplied_change_age_seconds
  topic_arns                   = var.alarms.topic_arns
  create_topic                 = var.alarms.create_topic
  topic_name                   = local.names.alarm_topic
  email_addresses              = var.alarms.email_addresses
  kms_key_arn                  = var.kms_key_arn
  tags                         = var.tags

  providers = { aws = aws.source }
}

module "dashboard" {
  source = "../dashboard"
  count  = var.enabled && var.dashboard ? 1 : 0

  name                         = local.names.dashboard
  copy_name                    = local.copy_name
  source_table                 = local.record.source
  destination_table            = local.record.destination
  status_command               = local.commands.status
  failure_queue_name           = local.names.failure_queue
  state_machine_name           = local.names.state_machine
  function_names               = local.function_names
  alarm_arns                   = try(module.alarms[0].arns, [])
  unapplied_change_age_seconds = local.unapplied_change_age_seconds

  providers = { aws = aws.source }
}
