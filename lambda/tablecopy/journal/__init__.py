"""The journal: a small table in the source account through which the functions coordinate."""
