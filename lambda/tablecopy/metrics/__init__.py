"""Defines, collects and logs the metrics that the functions publish to CloudWatch."""
