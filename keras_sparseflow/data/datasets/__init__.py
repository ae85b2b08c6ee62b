"""Datasets by name: the digits, those of TensorFlow Datasets, and folders of images."""
