"""One run: its network, its training and its files."""
