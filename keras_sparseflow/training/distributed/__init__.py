"""One network on several devices or machines."""
