"""The size of a study: kernels, weights and operations, counted without building a network."""
