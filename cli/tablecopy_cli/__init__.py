"""The command tablecopy."""
