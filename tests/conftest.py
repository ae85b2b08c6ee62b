"""Settings of every test: one thread a worker, quiet TensorFlow, no GPU."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


def pytest_collection_finish():
    """Keeps what was imported out of garbage collections: `keras.utils.clear_session` does one after every training."""
    gc.freeze()
