"""Datasets by name: digits, those of TensorFlow Datasets, and folders of images."""
