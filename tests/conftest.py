"""Settings of every test: one thread a worker, quiet TensorFlow, no GPU."""

import gc
import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


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


def pytest_collection_finish():
    """Keeps what was imported out of garbage collections: `keras.utils.clear_session` does one after every training."""
    gc.freeze()
