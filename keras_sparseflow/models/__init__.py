"""Architectures, built from stock or masked layers; they run on every Keras backend."""

from keras_sparseflow.models.mlp import mlp
from keras_sparseflow.models.wide_resnet import wide_resnet

__all__ = ["mlp", "wide_resnet"]
