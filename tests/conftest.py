"""Tests on another Keras backend than TensorFlow, which KERAS_BACKEND names."""

import os

import pytest

BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")


def pytest_configure():
    """Lets NumPy read PyTorch's tensors that have a gradient, as it reads those of other backends."""
    if BACKEND == "torch":
        import torch

        read = torch.Tensor.__array__
        torch.Tensor.__array__ = lambda tensor, *args, **options: read(tensor.detach(), *args, **options)


def pytest_runtest_setup(item):
    """Leaves out what is TensorFlow's alone where Keras runs on another backend."""
    mark = item.get_closest_marker("tensorflow")
    if mark is not None and BACKEND != "tensorflow":
        pytest.skip(f"TensorFlow's alone: {', '.join(mark.args)}")


@pytest.fixture(autouse=True)
def _untraced(request):
    """Does what the mark `untraced` of a test, or of its file, says; `untraced(False)` takes a test out of its file."""
    mark = request.node.get_closest_marker("untraced")
    if mark is None or mark.args == (False,):
        yield
        return
    from tests.backend import untraced

    with untraced():
        yield
