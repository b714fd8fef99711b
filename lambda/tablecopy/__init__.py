"""Copies a DynamoDB table to another AWS account and keeps the copy in step with its source.

Three Lambda functions share this package: the replicator applies stream records, the backfill copies
the items that were there before, and control moves a run from phase to phase. What they agree on lives
in the journal. Items stay in DynamoDB's own JSON from the first byte read to the last byte written.
"""
