"""Calls DynamoDB with bytes in and bytes out, and interprets its answers and errors."""
