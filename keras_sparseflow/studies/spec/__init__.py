"""Specs: all that decides the outcome of a run."""
