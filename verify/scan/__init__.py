"""Scans both tables in segments and turns items into digests."""
