"""Defines, collects and logs what the functions publish to CloudWatch."""
