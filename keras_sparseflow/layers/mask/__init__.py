"""A kernel's mask: the two variables, what acts on gradients, optimizer slots, and masks as arrays."""
