"""Gradual magnitude pruning: the masks of tfmot's schedule, exact counts, errors."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers.structure import masked_kernels_of
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.dynamic.gradual import GradualMagnitude
from keras_sparseflow.training.dynamic.pruning import MagnitudePruning
from keras_sparseflow.training.dynamic.tfmot import import_tfmot
from tests.training.masked import LAYERS, Watch, arrays, fit, inactive_values, network

TFMOT = import_tfmot().sparsity.keras


@pytest.mark.parametrize(
    ("ours", "theirs", "density", "model_class"),
    [
        (
            {"begin_step": 2, "end_step": 20, "frequency": 3, "initial_density": 0.9},
            TFMOT.PolynomialDecay(0.1, 0.9, 2, 20, frequency=3),
            1.0,
            keras.Model,
        ),
        (
            {"begin_step": 0, "end_step": 18, "frequency": 6},
            TFMOT.PolynomialDecay(0.0, 0.9, 0, 18, frequency=6),
            0.5,
            SparseModel,
        ),
        ({"begin_step": 7, "end_step": 7}, TFMOT.ConstantSparsity(0.9, 7, 7), 1.0, SparseModel),
    ],
    ids=["gradual", "sparse from the start", "at once"],
)
def test_masks_are_those_of_tfmots_schedule_at_every_step(ours, theirs, density, model_class):
    watches, frames = [], []
    for callback in (GradualMagnitude(0.1, **ours), MagnitudePruning(theirs)):
        model, watch = network(model_class, density), Watch()
        fit(model, watch, callback)
        watches.append(watch.masks)
        frames.append(callback.to_frame())
    for step, (mine, expected) in enumerate(zip(*watches, strict=True)):
        for name in LAYERS:
            assert np.array_equal(mine[name], expected[name]), f"{name} at step {step}"
    for column in frames[0]:
        if column == "layer":
            assert list(frames[0][column]) == list(frames[1][column])
        else:
            np.testing.assert_allclose(frames[0][column], frames[1][column], atol=1e-6)
    assert {name: mask.sum() for name, mask in watches[0][-1].items()} == {"conv": 9, "hidden": 96, "output": 4}


def test_the_density_is_the_cubic_of_zhu_and_gupta():
    pruning = GradualMagnitude(0.2, 100, 500, initial_density=0.8)
    s_i, s_f, t_0, length = 0.2, 0.8, 100, 400
    for step in (100, 200, 300, 450, 500):
        sparsity = s_f + (s_i - s_f) * (1 - (step - t_0) / length) ** 3
        assert pruning.density_at(step) == pytest.approx(1 - sparsity)


@pytest.mark.untraced
def test_equal_magnitudes_keep_exact_counts():
    counts = []
    for callback in (
        GradualMagnitude(0.25, 1, 1, layers=["hidden"]),
        MagnitudePruning(TFMOT.ConstantSparsity(0.75, 1, 1), layers=["hidden"]),
    ):
        model = network(density=1.0, optimizer=keras.optimizers.SGD(0.0))
        model.get_layer("hidden").kernel.assign(np.where(np.arange(960).reshape(80, 12) % 2, -1.0, 1.0))
        fit(model, callback, epochs=1)
        counts.append(arrays(model, "mask")["hidden"].sum())
    assert counts == [240, 960]  # tfmot keeps all that tie


def test_the_last_step_is_an_update_whatever_the_frequency():
    model, callback = network(density=1.0), GradualMagnitude(0.2, 2, 13, frequency=5)
    fit(model, callback)
    assert [row["step"] for row in callback.rows[::3]] == [2, 7, 12, 13]
    assert [mask.sum() for mask in arrays(model, "mask").values()] == [18, 192, 7]
    assert not inactive_values(model).any()


@pytest.mark.untraced
def test_one_weight_stays():
    model = network(density=1.0)
    fit(model, GradualMagnitude(0.001, 1, 1), epochs=1)
    assert [mask.sum() for mask in arrays(model, "mask").values()] == [1, 1, 1]


def test_a_training_that_is_resumed_goes_on_with_the_schedule():
    whole, halves = network(density=1.0), network(density=1.0)
    first, second, at_once = (GradualMagnitude(0.1, 2, 20, frequency=3) for _ in range(3))
    fit(whole, at_once)
    fit(halves, first, epochs=1)
    fit(halves, second, epochs=1)
    assert first.rows + second.rows == at_once.rows


@pytest.mark.untraced
def test_a_training_that_diverges_goes_on_with_its_masks():
    model = network(density=1.0, optimizer=keras.optimizers.SGD(1e30))
    fit(model, GradualMagnitude(0.1, 10, 12, frequency=1), epochs=1)
    assert arrays(model, "mask")["hidden"].all() and not np.isfinite(arrays(model, "kernel")["hidden"]).all()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0, 1, 2), {}, r"`final_density` must be a number above 0 and at most 1; received 0"),
        ((90, 1, 2), {}, r"`final_density` must be a number above 0 and at most 1; received 90"),
        (
            (0.5, 1, 2),
            {"initial_density": 0.4},
            r"`initial_density` must be a number of at least 0.5 and at most 1; received 0.4",
        ),
        ((0.5, 3, 2), {}, "`begin_step` must be at least 0, and `end_step` .* not before it; received 3 and 2"),
        ((0.5, -1, 2), {}, "`begin_step` must be a whole number of at least 0; received -1"),
        ((0.5, 0, 0), {}, "`end_step` must be a whole number of at least 1; received 0"),
        ((0.5, 1, 2), {"frequency": 0}, "`frequency` must be a whole number of at least 1; received 0"),
        ((0.5, 1, 2), {"first_step": -1}, "`first_step` must be a whole number of at least 0; received -1"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        GradualMagnitude(*arguments, **options)


@pytest.mark.untraced
def test_a_schedule_that_was_over_before_it_pruned_anything_is_refused():
    model = network(density=1.0)
    fit(model, epochs=1)
    with pytest.raises(ValueError, match="the optimizer has done 12 steps, and nothing is pruned.*first_step=12"):
        fit(model, GradualMagnitude(0.5, 3, 12))
    fit(model, GradualMagnitude(0.5, 3, 12, first_step=12), epochs=1)
    assert arrays(model, "mask")["hidden"].sum() == 480


@pytest.mark.untraced
def test_kernels_that_lora_trains_in_their_place_are_refused():
    model = network(density=0.5)
    hidden = model.get_layer("hidden")
    hidden.enable_lora(2)
    with pytest.raises(ValueError, match=r"GradualMagnitude needs kernels that train.*received \['hidden'\]"):
        fit(model, GradualMagnitude(0.1, 1, 2), epochs=1)
    names = [kernel.path for kernel in masked_kernels_of(model) if kernel.layer is not hidden]
    fit(model, GradualMagnitude(0.1, 1, 2, layers=names), epochs=1)
    assert np.isclose(hidden.density, 0.5) and arrays(model, "mask")[names[0]].mean() < 0.2
