# Checkpoints and applied batches record the position of a run in one stream. With another stream, a copy that has lost changes
# would look complete, so a new stream gets a new, empty journal.
resource "terraform_data" "stream" {
  triggers_replace = [var.stream_arn]
}

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_28:A restored journal would contain old leases and checkpoints, and the copy would lose changes. A lost journal requires a new copy.

  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  # The journal holds keys of the source table's items, so it is encrypted as they are.
  dynamic "server_side_encryption" {
    for_each = var.kms ? [true] : []

    content {
      enabled = true
      # Without an ARN for the key that AWS manages, whose own ARN is not accepted here.
      kms_key_arn = var.kms_key_arn
    }
  }

  tags = var.tags

  lifecycle {
    # Encryption is chosen once. The provider also hides the ARN of the key that AWS manages.
    ignore_changes       = [server_side_encryption]
    replace_triggered_by = [terraform_data.stream]
  }
}

# Identity of this journal. It changes when the table is created again, under any name and also after a deletion by hand: a
# table that does not exist yet has no ARN, so the trigger is unknown.
resource "terraform_data" "generation" {
  # The key that the table was created with and keeps.
  input            = { kms_key_arn = var.kms_key_arn }
  triggers_replace = [aws_dynamodb_table.this.arn]

  lifecycle {
    ignore_changes = [input]
  }
}
