"""Runs of a study arranged for tables and figures: cells, pairs, densities, and their names."""
