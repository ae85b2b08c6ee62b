"""Each option of a spec changes what it is of, and nothing that comes before that in a run."""

import functools

import keras
import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies import run_study as run_study_module
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.run import run as run_module
from keras_sparseflow.studies.run.network import build_network
from keras_sparseflow.studies.run.run import run
from keras_sparseflow.studies.run_study import run_network
from keras_sparseflow.studies.spec.run_spec import LEAVES
from keras_sparseflow.training.precision import precision_policy
from tests.backend import untraced
from tests.plugins.packages import registered

pytestmark = pytest.mark.slow

STAGES = ("batches", "masks", "weights", "outputs", "first_loss", "optimizer", "losses", "flow")
"""Stages of a run, each of which depends on those before it."""


class Seen:
    """The stages of a run, each looked at when it is asked for.

    Args:
        spec: of the run.
        data: that it is trained on.
        folder: where it is trained.
    """

    def __init__(self, spec, data, folder):
        self._spec, self._data, self._folder = spec, data, folder

    @functools.cached_property
    def batches(self):
        """The images of all epochs."""
        return [images.numpy() for images, _ in run_module._batches(self._spec, self._data, 0, 0)]

    @functools.cached_property
    def _network(self):
        with precision_policy(self._spec.training.precision):
            return build_network(self._spec, self._data)

    @functools.cached_property
    def masks(self):
        """The mask of each kernel; without one, all of the kernel is active."""
        return {
            kernel.path: np.ones(kernel.variable.shape, bool) if kernel.mask is None else kernel.mask.numpy()
            for kernel in kernels_of(self._network)
        }

    @functools.cached_property
    def weights(self):
        """Initial values of each kernel."""
        return {kernel.path: kernel.variable.numpy() for kernel in kernels_of(self._network)}

    @functools.cached_property
    def outputs(self):
        """Logits of the network before its training."""
        return self._network(self._data.test_images).numpy()

    @functools.cached_property
    def first_loss(self):
        """Total cost of the first batch in training."""
        images, labels = self._data.train_images[:16], self._data.train_labels[:16]
        total = self._network.compute_loss(images, labels, self._network(images, training=True), training=True)
        return float(keras.ops.convert_to_numpy(total))

    @functools.cached_property
    def optimizer(self):
        """The optimizer's arguments, and its learning rate in each step."""
        optimizer, steps = self._network.optimizer, range(3 * self._spec.training.epochs)
        rate = optimizer._learning_rate
        rates = [float(rate(step) if callable(rate) else rate) for step in steps]
        return str(({**optimizer.get_config(), "name": None, "learning_rate": rates}, type(optimizer)))

    @functools.cached_property
    def _trained(self):
        folder = RunFolder(self._folder, self._spec.run_id)
        with untraced():
            run(self._spec, folder, self._data, tensorboard=False)
        return folder.path

    @functools.cached_property
    def losses(self):
        """The training loss of each epoch."""
        return pd.read_csv(self._trained / "history.csv")["loss"].to_numpy()

    @functools.cached_property
    def flow(self):
        """Rows of gradient flow: of which layer and reading, and values."""
        rows = pd.read_csv(self._trained / "flow.csv")
        return dict(zip(zip(rows["reading"], rows["measure"], rows["layer"], strict=True), rows["value"], strict=True))


@pytest.fixture(scope="module")
def seen(data, spec, tmp_path_factory):
    """The stages of a network that these options choose; each network is looked at once."""
    of_spec = functools.cache(lambda spec: Seen(spec, data, tmp_path_factory.mktemp("option")))
    return lambda **options: of_spec(spec(**{"epochs": 1, "flow_epochs": 0, **options}))


DENSITY = {"matched_fraction": None, "density": 0.3, "width": 10}
TWO, THREE = {"hidden_layers": 2}, {"hidden_layers": 3}
SIX_STEPS = {"epochs": 2, "batch_size": 16}
MOVING = {"method": "set", "move_frequency": 1, **SIX_STEPS}
PRUNING = {**DENSITY, "method": "magnitude", "prune_from": 0.2, "prune_until": 0.6, "prune_frequency": 2, **SIX_STEPS}
SMOOTHED, GHOSTS = {"tweaks": "LS"}, {"tweaks": "GSw", "ghost_until": 0.5, **SIX_STEPS}
VIT = {**DENSITY, "model": "vit", "depth": 1, "width": 1, "patch_size": 2, "variant": "SC"}
L2 = {"variant": "L2", "l2": 0.5}
FLOW = {"flow_epochs": 1, "flow_readings": ("end",), "variant": "L2_BN", "l2": 0.5}

CHANGES = [
    ("seed", 1, {}, "batches"),
    ("batch_size", 12, {}, "batches"),
    ("variant", "DA", {}, "batches"),
    ("augment_pad", 2, {"variant": "DA"}, "batches"),
    ("augment_flip", "never", {"variant": "DA"}, "batches"),
    ("width", 21, {}, "masks"),
    ("width_fraction", 0.5, {"matched_fraction": None}, "masks"),
    ("hidden_layers", 2, {}, "masks"),
    ("patch_size", 1, VIT, "masks"),
    ("matched_fraction", 0.35, {}, "masks"),
    ("density", 0.35, DENSITY, "masks"),
    ("ends", "dense", {**DENSITY, **TWO}, "masks"),
    ("ends", "dense_classifier", {**DENSITY, **TWO}, "masks"),
    ("distribution", "erk", {**DENSITY, **TWO}, "masks"),
    ("score", "magnitude", {}, "masks"),
    ("score_samples", 3, {"score": "snip"}, "masks"),
    ("method", "magnitude", DENSITY, "masks"),
    ("init_fan_in", "sparse", {}, "weights"),
    ("tweaks", "LRsI", {"rescale_iterations": 3}, "weights"),
    ("rescale_iterations", 2, {"tweaks": "LRsI", "rescale_iterations": 3}, "weights"),
    ("activation", "tanh", {}, "outputs"),
    ("activation_options", ("prelu.slope=0.5",), {"activation": "prelu"}, "outputs"),
    ("activation_options", ("srelu.right_threshold=0.1", "srelu.right_slope=0.5"), {"activation": "srelu"}, "outputs"),
    ("variant", "BN", {}, "outputs"),
    ("variant", "SC", THREE, "outputs"),
    ("skip_span", 1, {"variant": "SC", **THREE}, "outputs"),
    ("skip_place", "after", {"variant": "SC", **THREE}, "outputs"),
    ("heads", 2, VIT, "outputs"),
    ("precision", "mixed_bfloat16", {}, "outputs"),
    ("tweaks", "GSw", {}, "outputs"),
    ("tweaks", "GSk", TWO, "outputs"),
    ("ghost_activation", "mish", GHOSTS, "outputs"),
    ("dropout", 0.5, {}, "first_loss"),
    ("norm_place", "after", {"variant": "BN"}, "first_loss"),
    ("loss", "squared_error", {}, "first_loss"),
    ("variant", "L2", {"l2": 0.5}, "first_loss"),
    ("l2", 0.2, L2, "first_loss"),
    ("l2_form", "decoupled", L2, "first_loss"),
    ("l2_form", "loss", {**L2, "optimizer": "adamw"}, "first_loss"),
    ("tweaks", "LS", {}, "first_loss"),
    ("label_smoothing", 0.3, SMOOTHED, "first_loss"),
    ("smoothing_over", "others", SMOOTHED, "first_loss"),
    ("optimizer", "momentum", {}, "optimizer"),
    ("optimizer", "adam", {}, "optimizer"),
    ("optimizer", "adagrad", {}, "optimizer"),
    ("optimizer", "rmsprop", {}, "optimizer"),
    ("optimizer", "adamw", {**L2, "l2_form": "decoupled"}, "optimizer"),
    ("optimizer_options", ("rmsprop.rho=0.5",), {"optimizer": "rmsprop"}, "optimizer"),
    ("optimizer_options", ("adagrad.initial_accumulator_value=0.1",), {"optimizer": "adagrad"}, "optimizer"),
    ("optimizer_options", ("momentum.momentum=0.5",), {"optimizer": "momentum"}, "optimizer"),
    ("learning_rate", 0.2, {}, "optimizer"),
    ("schedule", "cosine", {}, "optimizer"),
    ("schedule", "step", {"epochs": 2}, "optimizer"),
    ("l2", 0.2, {**L2, "l2_form": "decoupled"}, "optimizer"),
    ("method", "set", {"epochs": 2, "move_frequency": 1}, "losses"),
    ("method", "rigl", MOVING, "losses"),
    ("move_until", 0.4, MOVING, "losses"),
    ("move_frequency", 2, MOVING, "losses"),
    ("move_fraction", 0.9, MOVING, "losses"),
    ("prune_from", 0.4, PRUNING, "losses"),
    ("prune_until", 0.8, PRUNING, "losses"),
    ("prune_frequency", 1, PRUNING, "losses"),
    ("ghost_decay", "linear", {**GHOSTS, "tweaks": "GSk", **TWO}, "losses"),
    ("ghost_decay", "abrupt", GHOSTS, "losses"),
    ("ghost_until", 1.0, GHOSTS, "losses"),
    ("flow_epochs", 1, {}, "flow"),
    ("flow_measures", ("egf_1",), FLOW, "flow"),
    ("flow_readings", ("steps",), FLOW, "flow"),
    ("flow_mode", "inference", FLOW, "flow"),
    ("flow_cost", "data", FLOW, "flow"),
    ("flow_tensors", "all", FLOW, "flow"),
]
"""An option, another value of it, options beside it, and the first stage that it changes."""

OF_THE_IMAGES = {
    **{"dataset": "digits", "image_size": 4, "train_size": 50, "subset_seed": 3},
    **{"validation_size": 50, "validation_seed": 3},
}
"""Options that decide which images are loaded; tests of the data show that these differ."""

ELSEWHERE = {
    "epochs",  # how long it lasts
    *("earlier_densities", "rewind_step"),  # of lottery tickets
    *(
        "diagnostics",
        "diagnostic_epochs",
        "diagnostic_samples",
        "near_zero",
        "eigenvalue_iterations",
        "landscape_steps",
    ),
    "model",  # of other architectures: with those
    "depth",
}


def test_every_option_stands_here_or_elsewhere():
    here = {name for name, *_ in CHANGES} | set(OF_THE_IMAGES)
    assert here | ELSEWHERE == set(LEAVES) and not here & ELSEWHERE


def differ(first, second):
    """Tells whether two stages differ by more than rounding; arrays by their names where both are there."""
    if isinstance(first, dict):
        return first.keys() != second.keys() or any(differ(first[name], second[name]) for name in first)
    if isinstance(first, list):
        return len(first) != len(second) or any(map(differ, first, second))
    if isinstance(first, str):
        return first != second
    return np.shape(first) != np.shape(second) or not np.allclose(first, second, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("name", "value", "beside", "stage"), CHANGES, ids=lambda value: str(value)[:40])
def test_an_option_changes_its_stage_and_none_before_it(seen, name, value, beside, stage):
    plain, changed = seen(**beside), seen(**{**beside, name: value})
    for before in STAGES[: STAGES.index(stage)]:
        assert not differ(getattr(plain, before), getattr(changed, before)), before
    assert differ(getattr(plain, stage), getattr(changed, stage))


def test_the_options_of_the_data_say_which_images_are_loaded(tmp_path, monkeypatch, data):
    asked = []
    monkeypatch.setattr(run_study_module, "load_images", lambda *given, **named: asked.append((given, named)) or data)
    registered(monkeypatch, EXECUTORS, dry=lambda *given: None)
    run_network({**OF_THE_IMAGES, "batch_size": 16}, runs_dir=tmp_path, data_dir="there", executor="dry")
    dataset, *named = OF_THE_IMAGES
    assert asked == [((OF_THE_IMAGES[dataset],), {"data_dir": "there", **{n: OF_THE_IMAGES[n] for n in named}})]
