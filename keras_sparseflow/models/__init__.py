"""Architectures, built from stock or masked layers; they run on every Keras backend."""

from keras_sparseflow.models.mlp import mlp

__all__ = ["mlp"]
