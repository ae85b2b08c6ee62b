"""Tests, intervals, power and rank correlations, and the verdicts that follow from them."""
