"""The demo: a real table copied between two local accounts, under writes, and proved to be equal."""
