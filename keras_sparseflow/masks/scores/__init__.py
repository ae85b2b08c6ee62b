"""Mask scores (SNIP, GraSP, SynFlow, magnitude, random) and the gradients that they use."""
