"""Equality of items, as DynamoDB sees it."""
