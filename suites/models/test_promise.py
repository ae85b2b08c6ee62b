"""Twins of published architectures keep what docs/sparsify.md promises."""

import pytest

from keras_sparseflow.twins import sparsify
from suites.models.applications import FAMILIES, application
from suites.models.backbones import BACKBONES, INCLUDED, backbone
from suites.models.promise import measure_promise

# Of embeddings that a backbone reads on request only, and of layers of KerasHub that take masks of tokens no further.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Gradients do not exist for variables:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*does not support masking and will therefore destroy:UserWarning"),
]


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_of_applications_keeps_the_promise(name, tmp_path):
    model, images = application(name)
    promise = measure_promise(model, images, tmp_path, eagerly=True)
    assert promise.broken() == [] and promise.masked == 1, promise


@pytest.mark.parametrize("name", BACKBONES)
def test_each_backbone_keeps_the_promise(name, tmp_path):
    pytest.importorskip("keras_hub", reason="KerasHub, the extra `hub`, needs Python 3.11 or later.")
    model, examples = backbone(name)
    if name in INCLUDED:
        with pytest.warns(UserWarning, match="of the entries of kernels .* stay dense"):
            sparsify(model, 0.5)
    promise = measure_promise(model, examples, tmp_path, include=INCLUDED.get(name, ()))
    assert promise.broken() == [], promise
