"""A simulated AWS in one process, on a virtual clock, that runs the product's own handlers."""
