# Checkpoints and marks say how far a run has come in one stream. In another stream they would let a copy that has
# lost changes look complete, so a new stream gets a new, empty journal.
resource "terraform_data" "stream" {
  triggers_replace = [var.stream_arn]
}

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_28:A journal of an earlier hour would bring back leases and checkpoints of then, and the copy would lose changes. If it is lost, a new copy is made.

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

  # The journal holds keys of the user's items: it is encrypted as they are.
  dynamic "server_side_encryption" {
    for_each = var.kms ? [true] : []

    content {
      enabled = true
      # Without an ARN: the key that AWS manages. Its own ARN is not accepted here.
      kms_key_arn = var.kms_key_arn
    }
  }

  tags = var.tags

  lifecycle {
    # Encryption is chosen once. The provider also hides the ARN of the key AWS manages when it reads it back.
    ignore_changes       = [server_side_encryption]
    replace_triggered_by = [terraform_data.stream]
  }
}

# Which journal this is. Another one, empty, takes its place when the table is made again under whatever name, also when
# it was deleted by hand: a table yet to be made has no ARN, and the trigger is then unknown.
resource "terraform_data" "generation" {
  # The key the table was created under, and stays under.
  input            = { kms_key_arn = var.kms_key_arn }
  triggers_replace = [aws_dynamodb_table.this.arn]

  lifecycle {
    ignore_changes = [input]
  }
}
