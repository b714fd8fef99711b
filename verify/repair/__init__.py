"""Plans the repair of differences, guards it, and applies it."""
