"""Studies: specs, comparisons, presets, and the executors that train them."""
