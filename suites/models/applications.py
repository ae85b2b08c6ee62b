"""The architectures of `keras.applications`, with random weights, for images as small as they take."""

from typing import Any

import keras
import numpy as np

SMALLEST = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71}
"""Widths of the smallest images of those that do not take 32."""

FAMILIES = (
    "ConvNeXtTiny",
    "DenseNet121",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "NASNetMobile",
    "ResNet50",
    "ResNet50V2",
    "VGG16",
    "Xception",
)
"""One member of each family, the smallest."""

ALL = tuple(sorted(name for name in dir(keras.applications) if name[0].isupper()))


def application(name: str) -> tuple[keras.Model, Any]:
    """Returns the architecture with random weights, and two images."""
    keras.utils.set_random_seed(0)
    width = SMALLEST.get(name, 32)
    make = getattr(keras.applications, name)
    model = make(weights=None, input_shape=(width, width, 3), classes=10, classifier_activation=None)
    return model, np.random.default_rng(0).normal(size=(2, width, width, 3)).astype("float32")
