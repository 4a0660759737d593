"""What is measured. Each module has `main(check: bool) -> int`: it prints figures, and `check` holds them to limits."""
