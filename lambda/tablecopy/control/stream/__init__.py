"""Reads the source's stream to find out which changes have not been applied yet."""
