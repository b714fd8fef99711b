"""Cutovers in the simulated AWS: the copy, a verification, `tablecopy cutover`, and the rollback's copy."""
