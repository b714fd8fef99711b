"""The operator's command: start a run, see how it is doing, settle its dead letters, seal it."""
