"""Compares both tables in the account: a segment at a time, and what differs again."""
