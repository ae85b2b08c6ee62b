"""Executors: they plan which networks train together, and train them."""
