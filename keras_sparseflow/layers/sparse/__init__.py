"""Layers that store and compute active weights alone: their places, kernels of two providers, and the layers."""
