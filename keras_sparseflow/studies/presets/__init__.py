"""Studies that can be named."""
