"""Seeds and densities: wrong ones are refused where they are given, by every function that takes one."""

import re

import keras
import numpy as np
import pytest

from keras_sparseflow import GradualMagnitude, MaskedDense, RigL, layers, load_images, make_masks, models, sparsify
from keras_sparseflow.analysis.statistics.intervals import bootstrap_mean
from keras_sparseflow.checks import check_seed, takes_density
from keras_sparseflow.data import training_batches
from keras_sparseflow.diagnostics import Hessian, TopEigenvalue, loss_surface, random_directions
from keras_sparseflow.masks import erk, samples_per_class
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study
from keras_sparseflow.training import SET, rescale_init

EXAMPLES = np.eye(6, 4, dtype="float32"), np.arange(6) % 2


@pytest.fixture(scope="module")
def model():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="output")])


TAKE_A_SEED = {
    "MaskedDense": ("mask_seed", lambda model, seed: MaskedDense(4, mask_seed=seed)),
    "MaskedGRU": ("mask_seed", lambda model, seed: layers.MaskedGRU(4, mask_seed=seed)),
    "make_masks": ("seed", lambda model, seed: make_masks(model, 0.5, score="magnitude", seed=seed)),
    "sparsify": ("seed", lambda model, seed: sparsify(model, 0.5, seed=seed)),
    "mlp": ("seed", lambda model, seed: models.mlp((4, 4, 1), 2, [3], seed=seed)),
    "vgg": ("seed", lambda model, seed: models.vgg((4, 4, 1), 2, 11, seed=seed)),
    "SET": ("seed", lambda model, seed: SET(seed=seed)),
    "rescale_init": ("seed", lambda model, seed: rescale_init(model, EXAMPLES, batch_size=2, seed=seed)),
    "samples_per_class": ("seed", lambda model, seed: samples_per_class(*EXAMPLES, samples=1, seed=seed)),
    "random_directions": ("seed", lambda model, seed: random_directions(model, seed=seed)),
    "loss_surface": ("seed", lambda model, seed: loss_surface(model, EXAMPLES, seed=seed)),
    "TopEigenvalue": ("seed", lambda model, seed: TopEigenvalue(EXAMPLES, seed=seed)),
    "top_eigenpair": ("seed", lambda model, seed: Hessian(model, EXAMPLES).top_eigenpair(seed=seed)),
    "load_images": ("subset_seed", lambda model, seed: load_images("digits", subset_seed=seed)),
    "training_batches": ("seed", lambda model, seed: training_batches(load_images("digits"), 8, seed=seed, epochs=1)),
    "bootstrap_mean": ("seed", lambda model, seed: bootstrap_mean([1.0, 2.0], seed=seed)),
}


@pytest.mark.parametrize("taker", TAKE_A_SEED)
@pytest.mark.parametrize("seed", [-1, 1.5, "a", True])
def test_a_wrong_seed_is_refused_where_it_is_given(model, taker, seed):
    argument, call = TAKE_A_SEED[taker]
    with pytest.raises(ValueError, match=f"`{argument}` must be an integer of at least 0; received {seed!r}"):
        call(model, seed)


@pytest.mark.parametrize("seed", [0, 7, 2**40, np.int64(7), np.uint8(7)])
def test_a_right_seed_becomes_an_int(seed):
    assert check_seed(seed) == int(seed) and type(check_seed(seed)) is int


def test_a_seed_of_numpy_gives_the_mask_of_the_same_int_and_a_config_of_plain_types():
    by_int, by_numpy = (MaskedDense(4, density=0.5, mask_seed=seed) for seed in (3, np.int64(3)))
    for layer in (by_int, by_numpy):
        layer.build((None, 5))
    np.testing.assert_array_equal(by_int.mask.numpy(), by_numpy.mask.numpy())
    assert type(by_numpy.get_config()["mask_seed"]) is int


MASKED_LAYERS = sorted(name for name in layers.__all__ if name.startswith("Masked"))


def test_every_masked_layer_says_what_to_write_for_a_sparsity():
    assert len(MASKED_LAYERS) > 15
    for name in MASKED_LAYERS:
        with pytest.raises(TypeError, match=r"write density = 1 - sparsity, here density=0\.1\."):
            getattr(layers, name)(4, sparsity=0.9)


TAKE_A_DENSITY = {
    "make_masks": make_masks,
    "sparsify": sparsify,
    "resnet": lambda model, **wrong: models.resnet((8, 8, 3), 10, **wrong),
    "wide_resnet": lambda model, **wrong: models.wide_resnet((8, 8, 3), 10, **wrong),
    "vgg": lambda model, **wrong: models.vgg((8, 8, 3), 10, **wrong),
    "vit": lambda model, **wrong: models.vit((8, 8, 3), 10, **wrong),
    "mobilenet": lambda model, **wrong: models.mobilenet((8, 8, 3), 10, **wrong),
}


@pytest.mark.parametrize("taker", TAKE_A_DENSITY)
def test_a_function_that_takes_a_density_says_what_to_write_for_a_sparsity(model, taker):
    with pytest.raises(TypeError, match=r"write density = 1 - sparsity, here density=0\.25\."):
        TAKE_A_DENSITY[taker](model, sparsity=0.75)
    with pytest.raises(TypeError, match=r"write density = 1 - sparsity; received 90\."):
        TAKE_A_DENSITY[taker](model, sparsity=90)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sparsify(None, target_sparsity=0.9), "write density = 1 - target_sparsity, here density=0.1."),
        (lambda: MaskedDense(4, final_sparsity=0.9), "write density = 1 - final_sparsity, here density=0.1."),
        (lambda: erk([(2, 3)], sparsity=0.5), "write density = 1 - sparsity, here density=0.5."),
        (
            lambda: GradualMagnitude(final_sparsity=0.9),
            "write final_density = 1 - final_sparsity, here final_density=0.1.",
        ),
        (lambda: GradualMagnitude(sparsity=0.9), "write final_density = 1 - sparsity, here final_density=0.1."),
        (lambda: RigL(sparsity=0.9), "give the layers density = 1 - sparsity, here density=0.1."),
        (lambda: SET(target_sparsity=0.9), "give the layers density = 1 - target_sparsity, here density=0.1."),
        (lambda: RunSpec.of(target_sparsity=0.75), "write density = 1 - target_sparsity, here density=0.25."),
        (lambda: Study(name="s", title="", grids=[{"sparsity": (0.9, 0.5)}]), "here density=(0.1, 0.5)."),
        (lambda: Study(name="s", title="", base={"final_sparsity": 0.9}), "here density=0.1."),
        (lambda: Study(name="s", title="").with_choices({"sparsity": (0.9,)}), "here density=(0.1,)."),
    ],
)
def test_a_sparsity_by_any_name_is_answered_by_the_density_to_write(call, message):
    with pytest.raises(TypeError, match=f"sparsity` is not an argument: .*{re.escape(message)}$"):
        call()


def test_refusing_a_sparsity_changes_nothing_else():
    @takes_density
    def count(size, density=1.0):
        """Counts."""
        return round(size * density)

    assert (count(8, 0.25), count(8, density=0.5), count.__name__, count.__doc__) == (2, 4, "count", "Counts.")
    with pytest.raises(TypeError, match="sparse"):
        count(8, sparse=0.5)
