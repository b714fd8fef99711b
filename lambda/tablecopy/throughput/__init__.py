"""Limits how much of a table's throughput is used, and counts what was used."""
