"""Twins of published architectures keep what docs/sparsify.md promises."""

import pytest

from suites.models.applications import ALL, FAMILIES, application
from suites.models.backbones import BACKBONES, INCLUDED, backbone
from suites.models.promise import measure_promise

# Keras': sums of losses with axes of 1, gradients of embeddings that a backbone reads on request only, masks of tokens.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Gradients do not exist for variables:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*does not support masking and will therefore destroy:UserWarning"),
]


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_of_applications_keeps_the_promise(name, tmp_path):
    model, images = application(name)
    promise = measure_promise(model, images, tmp_path, eagerly=True)
    assert promise.broken() == [] and promise.masked == 1, promise


def test_each_application_is_of_one_family():
    """Names of a family begin alike: the shorter ones stand for those that no longer one does."""
    stems = {"ConvNeXt", "DenseNet", "EfficientNetB", "EfficientNetV2", "InceptionResNet", "InceptionV3", "MobileNetV2",
             "MobileNetV3", "NASNet", "ResNet50", "VGG", "Xception"}  # fmt: skip
    assert len(ALL) == 40 and all(any(name.startswith(stem) for name in FAMILIES) for stem in stems)


@pytest.mark.parametrize("name", BACKBONES)
def test_each_backbone_keeps_the_promise(name, tmp_path):
    pytest.importorskip("keras_hub", reason="KerasHub, the extra `hub`, needs Python 3.11 or later.")
    model, examples = backbone(name)
    if name in INCLUDED:
        with pytest.warns(UserWarning, match="of the entries of kernels .* stay dense"):
            measure_promise(model, examples, tmp_path)
    promise = measure_promise(model, examples, tmp_path, include=INCLUDED.get(name, ()))
    assert promise.broken() == [], promise
