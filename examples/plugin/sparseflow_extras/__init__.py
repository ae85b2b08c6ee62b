"""A mask score, a measure of gradient flow and a part of variants for `keras_sparseflow`, as an example of a plugin."""
