"""Curves, pictures, scalars and hyperparameters for TensorBoard."""
