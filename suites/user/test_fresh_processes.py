"""Tests that need a process of their own: imports, pickled models, runs that leave the same bytes."""

import os
import pickle
import subprocess
import sys

import keras
import numpy as np

from keras_sparseflow import MaskedDense, SparseModel
from tests import processes

IMPORT = """
import os, sys
import tensorflow as tf
from keras_sparseflow.training.dynamic import pruning
from keras_sparseflow.training.dynamic import tfmot
assert not {"tensorflow_model_optimization", "tf_keras"} & set(sys.modules), "it is loaded when it is used"
assert tfmot.import_tfmot().sparsity.keras.prune_low_magnitude
import keras, tf_keras
assert keras.__version__.startswith("3.") and tf_keras.__version__.startswith("2.")
assert tf.keras.layers.Dense is keras.layers.Dense
assert "TF_USE_LEGACY_KERAS" not in os.environ
"""


def test_its_import_leaves_keras_and_the_environment_alone():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT], capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr[-2000:]


def environment():
    return {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}


FRESH = """
import pickle, sys
import numpy as np
with open(sys.argv[1], "rb") as file:
    model = pickle.load(file)
from keras_sparseflow import SparseModel
assert isinstance(model, SparseModel)
output = float(np.sum(model(np.ones((1, 5), "float32"))))
print(model.get_layer("hidden").active_count, type(model.optimizer).__name__, output)
"""


def test_a_pickled_model_is_loaded_by_a_fresh_process(tmp_path):
    rng = np.random.default_rng(0)
    inputs = keras.Input((5,))
    hidden = MaskedDense(8, density=0.5, mask_seed=0, activation="relu", name="hidden")(inputs)
    model = SparseModel(inputs, MaskedDense(3, density=0.5, mask_seed=1, name="output")(hidden))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(rng.normal(size=(24, 5)).astype("float32"), rng.integers(0, 3, 24), verbose=0)
    (tmp_path / "m.pickle").write_bytes(pickle.dumps(model))
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(tmp_path / "m.pickle")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    active, optimizer, output = done.stdout.split()
    assert int(active) == 20 and optimizer == "Adam"
    np.testing.assert_allclose(float(output), np.sum(model(np.ones((1, 5), "float32"))), rtol=1e-5)


DETERMINISTIC = """
import sys
from keras_sparseflow.launchers.terminal import load_training_quietly
from keras_sparseflow.studies.executors.options import Options
load_training_quietly("auto", Options(deterministic=True))
import tensorflow as tf
from keras_sparseflow.studies.run_study import run_network
try:
    tf.random.normal([2])
    sys.exit("random operations without a seed are not refused")
except RuntimeError:
    pass
values = {"epochs": 2, "image_size": 4, "train_size": 200, "augment_pad": 1, "variant": "DA_L2_BN", "optimizer": "adam",
          "hidden_layers": 1, "learning_rate": 0.1, "density": 0.3, "flow_measures": ("egf_1",), "flow_epochs": 1}
for executor in ("population", "serial"):
    run_network(values, study=executor, runs_dir=sys.argv[1], executor=executor)
"""


def test_deterministic_runs_leave_the_same_bytes(tmp_path):
    names = ("first", "second")
    programs = [processes.Program(DETERMINISTIC, str(tmp_path / name)) for name in names]
    for done in [program.end() for program in programs]:
        assert done.returncode == 0, done.stderr
    for rows in ("history.csv", "flow.csv"):
        first, second = (
            {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob(rows)}
            for name in names
        )
        assert len(first) == 2 and first == second
