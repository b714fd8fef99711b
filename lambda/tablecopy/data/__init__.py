"""Moves items and changes from the source to the destination."""
