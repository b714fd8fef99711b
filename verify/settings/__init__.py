"""Compares the settings of both tables."""
