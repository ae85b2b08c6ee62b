"""Keras finds the package's classes in saved models after a plain import, before or after that of Keras."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_sparseflow import MaskedDense, SparseModel
from keras_sparseflow.layers import GhostSwish, MaskedLSTM
from keras_sparseflow.layers.rectifiers import PReLU
from keras_sparseflow.registered import CLASSES
from keras_sparseflow.training.losses import SmoothedCrossEntropy
from keras_sparseflow.training.optimizers import AdamW

PACKAGE = Path(__file__).parents[2] / "keras_sparseflow"


def registered_in(path):
    """The classes that a file registers for Keras."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef) and any(
            "register_keras_serializable" in ast.unparse(each) for each in node.decorator_list
        ):
            yield node.name


def test_every_class_that_a_module_registers_is_listed():
    files = {
        path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): path for path in PACKAGE.rglob("*.py")
    }
    found = {module: tuple(sorted(registered_in(path))) for module, path in sorted(files.items())}
    assert {module: names for module, names in found.items() if names} == CLASSES


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A file of a model of many classes, and what it gives for ones."""
    inputs = keras.Input((4, 3))
    x = PReLU()(GhostSwish()(MaskedLSTM(4, density=0.5, mask_seed=0)(inputs)))
    model = SparseModel(inputs, MaskedDense(2, density=0.5, mask_seed=0, name="head")(x))
    model.compile(AdamW(0.1), SmoothedCrossEntropy(0.1))
    model.fit(np.ones((2, 4, 3)), np.zeros(2), verbose=0)
    path = tmp_path_factory.mktemp("saved") / "m.keras"
    model.save(path)
    return path, keras.ops.convert_to_numpy(model(np.ones((1, 4, 3)))).tolist()


LOAD = """
import json, sys
import numpy as np
model = keras.models.load_model(sys.argv[1])
classes = [type(each).__name__ for each in (model, *model.layers[1:], model.optimizer, model.loss)]
print(json.dumps([classes, model.get_layer("head").active_count, np.array(model(np.ones((1, 4, 3)))).tolist()]))
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import keras, keras_sparseflow",
        "import keras_sparseflow, importlib.util; importlib.util.find_spec('keras'); import keras",
        "import keras_sparseflow.layers.masked, keras",
    ],
)
def test_a_saved_model_loads_in_a_process_that_has_imported_keras_and_the_package(imports, saved):
    path, outputs = saved
    done = subprocess.run(
        [sys.executable, "-c", imports + LOAD, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    classes, active, loaded = json.loads(done.stdout.splitlines()[-1])
    assert classes == [
        "SparseModel",
        "MaskedLSTM",
        "GhostSwish",
        "PReLU",
        "MaskedDense",
        "AdamW",
        "SmoothedCrossEntropy",
    ]
    assert active == 4
    np.testing.assert_allclose(loaded, outputs, rtol=1e-5)


def test_a_class_has_its_registered_name_and_is_itself_once_its_module_is_loaded():
    assert keras.saving.get_registered_object("keras_sparseflow>MaskedDense") is MaskedDense
    assert keras.saving.get_registered_name(SparseModel) == "keras_sparseflow>SparseModel"


def test_keras_loads_as_ever_after_the_package_and_leaves_no_finder():
    code = """
import sys, keras_sparseflow
assert "keras" not in sys.modules
import keras
assert not [finder for finder in sys.meta_path if type(finder).__module__.startswith("keras_sparseflow")]
assert "keras_sparseflow.layers.masked" not in sys.modules
stand_in = keras.saving.get_registered_object("keras_sparseflow>MaskedDense")
layer = stand_in(3, density=0.5)
assert type(layer) is keras_sparseflow.MaskedDense is keras.saving.get_registered_object("keras_sparseflow>MaskedDense")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
