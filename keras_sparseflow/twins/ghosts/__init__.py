"""Twins with ghosts: soft activations and skips that fade while a sparse model trains."""
