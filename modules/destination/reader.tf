# The role of the verifier and the tracker. The other role writes and reads no item.

module "reader" {
  source = "../reader"
  count  = var.enabled && var.reader != null ? 1 : 0

  name              = var.reader.name
  role              = var.role
  trusted_role_arns = var.reader.trusted_role_arns
  follows_stream    = true
  table_name        = var.table_name
  table_arn         = local.table_arn
  key_policy_json   = data.aws_iam_policy_document.key[0].json
  tags              = var.tags
}
