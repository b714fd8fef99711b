"""The comparison in the account, in the simulated AWS: its scenario, its judge, its tables."""
