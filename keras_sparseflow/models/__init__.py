"""Architectures, built from stock or masked layers; they run on every Keras backend."""

from keras_sparseflow.models.mlp import mlp
from keras_sparseflow.models.mobilenet import mobilenet
from keras_sparseflow.models.resnet import resnet
from keras_sparseflow.models.vgg import vgg
from keras_sparseflow.models.wide_resnet import wide_resnet

__all__ = ["mlp", "mobilenet", "resnet", "vgg", "wide_resnet"]
