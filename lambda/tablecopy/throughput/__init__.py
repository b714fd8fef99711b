"""Keeps to the throughput that a table may be used with, and counts what was used."""
