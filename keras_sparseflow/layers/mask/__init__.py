"""A kernel's mask: its variables, the switch of its gradient, optimizer slots, and masks as arrays."""
