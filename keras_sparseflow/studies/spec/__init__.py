"""What decides the outcome of a run."""
