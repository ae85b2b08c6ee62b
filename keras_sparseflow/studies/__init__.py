"""Experiments: specs, matched pairs, studies, and how they are run."""
