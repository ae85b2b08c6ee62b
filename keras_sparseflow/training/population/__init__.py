"""Many networks stacked into one program."""
