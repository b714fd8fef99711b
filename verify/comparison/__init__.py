"""Pairs both tables' items, reads again what differs, and comes to a verdict."""
