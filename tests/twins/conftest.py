"""Models that several tests share; none of them changes what it gets."""

import pytest

from keras_sparseflow.twins import sparsify
from tests.twins.models import MODELS


@pytest.fixture(scope="package", params=MODELS)
def stock(request):
    """A stock model of each kind."""
    return MODELS[request.param]()


@pytest.fixture(scope="package")
def twin(stock):
    """Its twin of density 0.3."""
    return sparsify(stock, 0.3)
