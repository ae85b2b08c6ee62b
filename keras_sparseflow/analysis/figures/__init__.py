"""Figures: each a file with a function from DataFrames to a matplotlib figure, its title and its caption beside it.

The functions are offered by `keras_sparseflow.analysis`. Where the data hold nothing that a figure could show, it
raises `NotApplicableError`, and a report leaves it out.
"""
