"""What can go wrong with the local accounts, worded for the person at the terminal."""


class LocalError(Exception):
    """A trouble whose text is one clear line."""
