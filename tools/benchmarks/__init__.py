"""Speed, measured: this project beside what people use today, on one machine in one run."""
