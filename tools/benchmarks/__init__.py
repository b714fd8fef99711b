"""Benchmarks: this project and what people use today, measured on one machine in one run."""
