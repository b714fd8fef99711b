"""Moves items and changes: what is read from the source is shaped and written to the destination."""
