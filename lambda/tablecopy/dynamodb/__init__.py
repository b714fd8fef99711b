"""Calls DynamoDB with bytes in and bytes out, and knows what its answers mean."""
