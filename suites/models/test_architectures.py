"""Real architectures: the same outputs at density 1, exact counts, and back."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.twins import sparsify, sparsity_summary, strip_masks
from tests.twins.models import alike, array, masks, outputs

ARCHITECTURES = {
    "resnet50": (keras.applications.ResNet50, 54),
    "mobilenet_v2": (keras.applications.MobileNetV2, 53),
    "efficientnet_b0": (keras.applications.EfficientNetB0, 82),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_becomes_sparse_and_stock_again(name):
    make, count = ARCHITECTURES[name]
    model = make(weights=None, input_shape=(32, 32, 3), classes=5, classifier_activation=None)
    twin = sparsify(model, 0.1, "erk", "magnitude")
    drawn = masks(twin)
    assert len(drawn) == count, "every kernel of the published architecture has a mask"
    size = sum(mask.size for mask in drawn.values())
    assert sum(mask.sum() for mask in drawn.values()) == round(0.1 * size)

    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("f")
    found = outputs(twin, images)
    for kernel in kernels_of(model):
        kernel.variable.assign(np.where(drawn[kernel.path], array(kernel.variable), 0))
    assert alike(found, outputs(model, images)), "the same as the model with zeros in place"
    if name == "mobilenet_v2":
        assert alike(found, outputs(strip_masks(twin), images))


def test_operations_of_mobilenet_are_the_published_ones():
    """Sandler et al. 2018, table 4: 300 million multiplications with additions, 224 x 224."""
    summary = sparsity_summary(keras.applications.MobileNetV2(weights=None))
    assert round(summary.dense_flops / 2 / 1e6) == 301
