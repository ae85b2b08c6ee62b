"""Masks that change while a network trains: magnitude pruning, RigL, SET, and rewinding."""
