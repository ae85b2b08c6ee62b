"""Settings of every test, and the folder where examples of docstrings run: it holds a finished study, `runs/demo`.

One thread a worker, quiet TensorFlow, no GPU.
"""

import gc
import os
import sys

import pytest

from tests.analysis import pairs

gc.set_threshold(100_000, 20, 50)  # tracing makes so many objects that collections take a tenth of the tests' time
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


def pytest_collection_finish():
    """Keeps what was imported out of garbage collections: `keras.utils.clear_session` does one after every training."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Begins each file with a fresh state of Keras, and keeps what a file leaves out of collections, too.

    A worker holds millions of objects in the end. Keras leaves a name scope open where a layer's name is none for
    TensorFlow.
    """
    if nextitem is None or nextitem.path != item.path:
        if "keras" in sys.modules:
            sys.modules["keras"].utils.clear_session()
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def folder_of_examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    write_demo(folder)
    return folder


@pytest.fixture(autouse=True)
def examples_run_beside_a_study(request, monkeypatch):
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(request.getfixturevalue("folder_of_examples"))


def write_demo(folder):
    """Writes a made-up study of pairs into `runs/demo`: two variants, two widths and three seeds."""
    results = pairs.make_results(optimizers=("adam",), widths=(7, 34))
    pairs.write_study(folder / "runs" / "demo", results, pairs.make_flow(results, epochs=(0, 14, 29)))
