# Compares two tables in the source account. There is no copy: nothing reads a stream, and nothing writes to a table.

locals {
  # Settings that both functions share.
  function = {
    location           = local.source
    table_key_arns     = distinct(compact([local.source_key_arn, local.journal_key_arn]))
    kms_key_arn        = var.kms_key_arn
    role               = { path = var.roles.path, permissions_boundary_arn = var.roles.source_permissions_boundary_arn }
    vpc                = var.vpc
    architecture       = var.architecture
    log_retention_days = var.log_retention_days
    tags               = var.tags
  }
}

module "journal" {
  source = "../journal"

  name        = local.names.journal
  kms         = local.journal_key_arn != null
  kms_key_arn = local.journal_key_arn
  tags        = var.tags

  providers = { aws = aws.source }
}

module "verification" {
  source = "../verification"

  function = local.function
  environment = {
    COPY_NAME               = local.base
    JOURNAL_TABLE           = local.names.journal
    SOURCE_TABLE            = var.source_table.name
    DESTINATION_TABLE       = local.destination_name
    DESTINATION_REGION      = local.destination.region
    DESTINATION_EXTERNAL_ID = terraform_data.external_id.id
  }
  names            = local.names
  settings         = var.verification
  source_table_arn = local.source_arn
  journal_arn      = module.journal.arn
  # Built, not referenced, because the role trusts the function's role.
  destination_role_arn = "arn:${local.destination.partition}:iam::${local.destination.account_id}:role${var.roles.path}${local.names.reader_role}"

  providers = { aws = aws.source }
}

data "aws_iam_policy_document" "control" {
  provider = aws.source

  statement {
    sid       = "AnswerFromTheJournal"
    actions   = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:Query"]
    resources = [module.journal.arn]
  }

  statement {
    sid       = "StartAVerification"
    actions   = ["states:StartExecution"]
    resources = [module.verification.state_machine.arn]
  }

  statement {
    sid     = "FollowAVerification"
    actions = ["states:DescribeExecution"]
    # `:*` stands for this machine's executions.
    resources = ["${module.verification.state_machine.executions}:*"]
  }
}

# What `verify --in-account` asks. It has no access to either table.
module "control" {
  source = "../function"

  function = merge(local.function, {
    name            = local.names.control
    description     = "Starts verifications and shows their results."
    handler         = "tablecopy.handlers.control.handle"
    timeout_seconds = 30
    memory_mb       = 256
    # The journal's key only, because control reads no other table.
    table_key_arns = compact([local.journal_key_arn])
  })
  environment = {
    JOURNAL_TABLE            = module.journal.name
    VERIFICATION_MACHINE_ARN = module.verification.state_machine.arn
    VERIFICATION_SEGMENTS    = tostring(var.verification.segments)
    VERIFICATION_CONCURRENCY = tostring(var.verification.concurrency)
  }
  policy_json = data.aws_iam_policy_document.control.json

  providers = { aws = aws.source }
}

data "aws_iam_policy_document" "key" {
  provider = aws.destination

  # DynamoDB decrypts a table with the permissions of its caller.
  dynamic "statement" {
    for_each = compact([local.destination_key_arn])

    content {
      sid       = "OpenTheTableUnderItsKey"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        # AWS does not document which of its suffixes names the service in China.
        values = [for suffix in local.destination.partition == "aws-cn" ? ["com", "com.cn"] : ["com"] : "dynamodb.${local.destination.region}.amazonaws.${suffix}"]
      }
    }
  }
}

module "reader" {
  source = "../reader"

  name = local.names.reader_role
  role = {
    path                     = var.roles.path
    permissions_boundary_arn = var.roles.destination_permissions_boundary_arn
    external_id              = terraform_data.external_id.id
    trusted_account_id       = local.source.account_id
  }
  trusted_role_arns = [module.verification.role_arn]
  follows_stream    = false
  table_name        = local.destination_name
  table_arn         = local.destination_arn
  key_policy_json   = data.aws_iam_policy_document.key.json
  tags              = var.tags

  providers = { aws = aws.destination }
}
