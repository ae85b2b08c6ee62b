"""Training of one network on several devices or machines."""
