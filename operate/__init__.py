"""The operator's command: start a run, see how it is doing, seal it."""
