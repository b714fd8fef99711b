"""Keeps the keys of the destination's changes, and rechecks touched keys until both tables agree."""
