"""Scores that rank weights, and the gradients that they take; SNIP, GraSP, SynFlow, magnitude and random."""
