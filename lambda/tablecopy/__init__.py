"""Copies a DynamoDB table to another AWS account and keeps the copy in sync with its source.

Three Lambda functions share this package: the replicator applies stream records, the backfill copies the
existing items, and control moves a run from phase to phase. Their shared state is in the journal. Items stay
in DynamoDB's own JSON from the first byte read to the last byte written.
"""
