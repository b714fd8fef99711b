"""What is measured: our functions, and what people use today. Each runs as a process of its own."""
