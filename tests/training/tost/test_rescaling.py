"""Layer-wise rescaled initialisation: its steps by hand, what it reaches, and what it leaves alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.tost.first_step import FirstStep
from keras_sparseflow.training.tost.loss_at import LossAt
from keras_sparseflow.training.tost.rescaling import Rescaling, rescale_init

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(60, 6)).astype("float32")
LABELS = (IMAGES @ RNG.normal(size=(6, 3))).argmax(1)
DATA = (IMAGES, LABELS)
OPTIONS = {"batch_size": 40, "seed": 1}  # of 60 examples, 40 and 20 more are all


def network(scale=1.0, model_class=SparseModel):
    """Masked kernels, one of them too large by a factor, a stock one, BatchNorm."""
    inputs = keras.Input((6,))
    initializer = keras.initializers.HeNormal(0)
    x = MaskedDense(8, density=0.5, mask_seed=0, name="first", kernel_initializer=initializer)(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="norm")(x))
    x = MaskedDense(8, "relu", density=0.5, mask_seed=1, name="second", kernel_initializer=initializer)(x)
    model = model_class(inputs, keras.layers.Dense(3, name="last", kernel_initializer=initializer)(x))
    kernel = model.get_layer("second").kernel
    kernel.assign(kernel * scale)
    return model


def arrays(model):
    return {variable.path: np.array(variable) for variable in model.variables}


@pytest.fixture(scope="module", name="done")
def fixture_done():
    """A network before, what was done to it, its rows as they came, and the network after."""
    model, seen = network(scale=6.0), []
    before = arrays(model)
    result = rescale_init(model, DATA, iterations=120, learning_rate=0.03, progress=seen.append, **OPTIONS)
    return before, result, seen, model


def test_the_norm_falls_below_gamma_and_then_the_loss_falls(done):
    rows = done[1].to_frame()
    assert rows["objective"].iloc[0] == "norm" and rows["value"].iloc[0] > 3
    assert ((rows["grad_norm"] > 1) == (rows["objective"] == "norm")).all()
    assert (rows.loc[rows["objective"] == "norm", "value"] == rows.loc[rows["objective"] == "norm", "grad_norm"]).all()
    losses = rows.loc[rows["objective"] == "loss", "value"]
    assert len(losses) > 50
    assert losses.iloc[-10:].mean() < 0.95 * losses.iloc[:10].mean()


def test_a_first_step_leads_to_a_lower_loss_than_before(done):
    before, after = (
        FirstStep(LossAt(model, training=True), 1e9, 0.1)(np.ones(8), DATA, DATA).value
        for model in (network(scale=6.0), done[3])
    )
    assert after < 0.5 * before


def test_each_weight_is_multiplied_by_its_scale_and_nothing_else_changes(done):
    before, result, _, model = done
    paths = {
        "first/kernel", "first/bias", "norm/gamma", "norm/beta", "second/kernel", "second/bias", "last/kernel",
        "last/bias",
    }  # fmt: skip
    assert set(result.scales) == paths
    for path, after in arrays(model).items():
        np.testing.assert_allclose(after, before[path] * np.float32(result.scales.get(path, 1.0)), rtol=1e-6)
    assert result.scales["second/kernel"] < 0.9 and result.scales["first/bias"] == 1  # of zeros


def test_masked_entries_stay_zero_and_masks_as_they_were(done):
    before, _, _, model = done
    for name in ("first", "second"):
        layer = model.get_layer(name)
        np.testing.assert_array_equal(layer.mask, before[layer.mask.path])
        assert not np.array(layer.kernel)[~np.array(layer.mask)].any() and layer.density == 0.5


def test_every_row_is_told_as_it_comes(done):
    _, result, seen, _ = done
    assert seen == result.history and [row["iteration"] for row in seen] == list(range(120))


def tiny(model_class=keras.Model, bias=(0.5, -0.3, 0.1)):
    """One masked kernel and a bias, behind dropout."""
    inputs = keras.Input((6,))
    layer = MaskedDense(3, density=0.7, mask_seed=0, name="only", kernel_initializer=keras.initializers.HeNormal(0))
    model = model_class(inputs, layer(keras.layers.Dropout(0.3, seed=0)(inputs)))
    layer.bias.assign(bias)
    return model


@pytest.mark.untraced
def test_the_seed_decides_and_the_kind_of_model_does_not():
    one, other_kind, other_seed = (
        rescale_init(tiny(kind), DATA, iterations=4, batch_size=10, seed=seed).scales
        for kind, seed in ((SparseModel, 0), (keras.Model, 0), (SparseModel, 1))
    )
    assert one == pytest.approx(other_kind, rel=1e-6)
    assert one != pytest.approx(other_seed, rel=1e-5)


@pytest.mark.untraced
def test_the_first_step_moves_scales_by_the_learning_rate_and_none_falls_below_the_bound():
    first = rescale_init(tiny(), DATA, iterations=1, learning_rate=0.02, **OPTIONS).scales
    assert [abs(scale - 1) for scale in first.values()] == pytest.approx([0.02, 0.02], rel=1e-3)
    shift = rescale_init(tiny(bias=(1, 1, 1)), DATA, iterations=1, **OPTIONS).scales["only/bias"]
    assert shift == pytest.approx(1, abs=1e-3), "it adds the same to all logits, so that its scale does not matter"
    low = rescale_init(tiny(), DATA, iterations=6, learning_rate=0.7, min_scale=0.2, **OPTIONS).scales
    assert min(low.values()) == 0.2


@pytest.mark.untraced
def test_options_reach_the_objective():
    def first(data=DATA, **options):
        return rescale_init(tiny(), data, iterations=1, **{**OPTIONS, "gamma": 10.0, **options}).history[0]

    usual = first()
    assert usual["objective"] == "loss"
    assert first(eta=0.01)["value"] > usual["value"]
    assert first(training=False)["value"] != pytest.approx(usual["value"], rel=1e-3)
    smoothed = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.5)
    one_hot = (IMAGES, np.eye(3, dtype="float32")[LABELS])
    assert first(one_hot, loss=smoothed)["value"] != pytest.approx(usual["value"], rel=1e-3)


@pytest.mark.untraced
def test_the_trial_step_is_judged_by_a_batch_of_which_half_is_new():
    dataset = tf.data.Dataset.from_tensor_slices(DATA).batch(20)
    found = rescale_init(tiny(), dataset, iterations=1, gamma=10.0).history[0]
    trial = np.r_[0:10, 30:40]
    first_step = FirstStep(LossAt(tiny(), training=True), 10.0, 0.1)
    expected = first_step(np.ones(2), (IMAGES[:20], LABELS[:20]), (IMAGES[trial], LABELS[trial]))
    assert (found["objective"], found["value"]) == ("loss", pytest.approx(expected.value, rel=1e-5))


@pytest.mark.untraced
def test_what_cannot_be_done_is_refused_and_leaves_the_model_as_it_was():
    model = network()
    before = arrays(model)
    for options, message in [
        ({"iterations": 0}, "`iterations` must be a whole number of at least 1; received 0"),
        ({"gamma": 0.0}, r"`gamma` must be a number above 0; received 0\.0"),
        ({"eta": -1}, "`eta` must be a number above 0; received -1"),
        ({"min_scale": 0}, r"`min_scale` must be a number above 0 and at most 1; received 0"),
        ({"batch_size": 50}, "batches of 50 and 60 examples"),
        ({"data": IMAGES}, "received ndarray"),
        ({"data": (IMAGES, LABELS[:3])}, r"one length; received \[3, 60\]"),
        ({"data": tf.data.Dataset.from_tensors(DATA)}, "at least two batches"),
        ({"data": (IMAGES * np.nan, LABELS)}, "not finite in iteration 0"),
        ({"loss": lambda y, outputs: 0 * outputs[:, 0]}, "is zero in iteration 0"),
    ]:
        arguments = {"data": DATA, "batch_size": 20, **options}
        with pytest.raises(ValueError, match=message):
            rescale_init(model, **arguments)
    after = arrays(model)
    assert all(np.array_equal(before[path], after[path]) for path in before)
    assert Rescaling({}, []).to_frame().empty
