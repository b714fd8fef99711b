"""The figures: one module for each family, each with a function that measures and yields them."""
