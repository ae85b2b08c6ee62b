"""`Stack`: padding, masks, and each member's own learning rate, penalty and batches, by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.training.population.stack import Member, Stack, mask_path
from tests.training.by_hand import flow, gradients

INPUTS, UNITS, CLASSES = 3, 5, 2
WIDTHS = (5, 3, 4)
RATES = (0.1, 0.02, 0.5)
L2 = (0.0, 0.3, 0.05)
STREAMS = (0, 1, 0)
MEASURES = ("grad_norm_1", "grad_norm_2", "egf_1", "egf_2")
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(2, 8, INPUTS)).astype("float32")
LABELS = RNG.integers(0, CLASSES, (2, 8)).astype("int32")


def template(batch_norm=False, bias=False):
    inputs = keras.Input((INPUTS,))
    x = keras.layers.Dense(UNITS, use_bias=bias, name="hidden")(inputs)
    if batch_norm:
        x = keras.layers.BatchNormalization(name="norm", momentum=0.9)(x)
    x = keras.layers.Activation("relu")(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, use_bias=bias, name="output")(x))


def members(model, kernels, masks=None):
    """A member for each width, every variable but the output's bias as wide as its hidden layer."""
    found = []
    for index, width in enumerate(WIDTHS):
        own = {v.path: tuple(width if size == UNITS else size for size in v.shape) for v in model.variables}
        found.append(
            Member(
                variables=dict(zip(("hidden/kernel", "output/kernel"), kernels[index], strict=True)),
                shapes=own,
                masks={} if masks is None else masks[index],
                learning_rate=RATES[index],
                l2=L2[index],
                stream=STREAMS[index],
            )
        )
    return found


@pytest.fixture
def masks():
    """The first member's first kernel and both of the second's; the third's are all active."""
    rng = np.random.default_rng(1)
    return [
        {"hidden/kernel": rng.random((INPUTS, 5)) < 0.5},
        {"hidden/kernel": rng.random((INPUTS, 3)) < 0.5, "output/kernel": rng.random((3, CLASSES)) < 0.5},
        {},
    ]


@pytest.fixture
def kernels(masks):
    rng = np.random.default_rng(2)
    drawn = [
        [rng.normal(size=shape).astype("float32") for shape in ((INPUTS, w), (w, CLASSES))] for w in WIDTHS
    ]  # fmt: skip
    for pair, own in zip(drawn, masks, strict=True):
        for position, path in enumerate(("hidden/kernel", "output/kernel")):
            pair[position] *= own.get(path, True)
    return drawn


@pytest.fixture
def stack(kernels, masks):
    def make(optimizer=keras.optimizers.SGD, model=None, measures=(), **options):
        model = model or template()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return Stack(model, members(model, kernels, masks), optimizer, loss, measures, **options)

    return make


def step(stack, steps=1, measured=False):
    for _ in range(steps):
        stack.step(tf.constant(IMAGES), tf.constant(LABELS), tf.constant(measured))


def masks_of(own, pair):
    paths = ("hidden/kernel", "output/kernel")
    return [own.get(path, np.ones(k.shape, bool)) for path, k in zip(paths, pair, strict=True)]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_of_sgd_by_hand_each_member_with_its_own_rate_penalty_mask_and_batch(stack, kernels, masks, momentum):
    stacked = stack(lambda learning_rate: keras.optimizers.SGD(learning_rate, momentum=momentum))
    step(stacked, steps=3)
    for index, state in enumerate(stacked.states()):
        pair, stream = [k.astype("float64") for k in kernels[index]], STREAMS[index]
        velocities = [0.0, 0.0]
        for _ in range(3):
            found = gradients(IMAGES[stream].astype("float64"), LABELS[stream], pair, l2=L2[index])
            for position, mask in enumerate(masks_of(masks[index], pair)):
                velocities[position] = momentum * velocities[position] - RATES[index] * found[position] * mask
                pair[position] = pair[position] + velocities[position]
        for path, kernel in zip(("hidden/kernel", "output/kernel"), pair, strict=True):
            np.testing.assert_allclose(state[path], kernel, rtol=1e-4, atol=1e-6, err_msg=f"{index} {path}")


def cross_entropy(images, labels, pair):
    logits = np.maximum(images @ pair[0], 0) @ pair[1]
    log_softmax = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return -log_softmax[np.arange(len(labels)), labels].mean(), (logits.argmax(1) == labels).mean()


def test_losses_hold_each_members_penalty_and_accuracies_are_means(stack, kernels):
    stacked = stack()
    stacked.start_epoch()
    step(stacked)
    means, _ = stacked.epoch_means(1)
    tested = stack().evaluate(tf.constant(IMAGES[1]), tf.constant(LABELS[1]), tf.ones(8)).numpy() / 8
    for index, pair in enumerate(kernels):
        penalty = L2[index] / 2 * sum((k**2).sum() for k in pair)
        for found, stream in ((means[index], STREAMS[index]), (tested[index], 1)):
            loss, accuracy = cross_entropy(IMAGES[stream], LABELS[stream], pair)
            np.testing.assert_allclose(found, [loss + penalty, accuracy], rtol=1e-5)


def test_an_image_that_is_not_counted_changes_no_sum(stack):
    counted = tf.constant([1.0] * 5 + [0.0] * 3)
    found = stack().evaluate(tf.constant(IMAGES[1]), tf.constant(LABELS[1]), counted)
    five = stack().evaluate(tf.constant(IMAGES[1, :5]), tf.constant(LABELS[1, :5]), tf.ones(5))
    np.testing.assert_allclose(found, five, rtol=1e-6)


def test_means_are_over_the_steps_of_one_epoch(stack):
    stacked, totals = stack(measures=MEASURES), []
    for steps in (1, 3, 3):
        stacked.start_epoch()
        assert not any(values.any() for values in stacked.epoch_means(1)), "nothing of the epoch before is left"
        step(stacked, steps, measured=True)
        totals.append(stacked.epoch_means(1))
        for total, mean in zip(totals[-1], stacked.epoch_means(4), strict=True):
            np.testing.assert_allclose(mean, total / 4, rtol=1e-6)
    for first, later in zip(totals[0], totals[1], strict=True):
        assert (later[..., 0] > 1.5 * first[..., 0]).all(), "three steps were added up, one was before"


@pytest.mark.parametrize("cost", ["total", "data"])
def test_flow_by_hand_of_present_entries_alone(stack, kernels, masks, cost):
    stacked = stack(measures=MEASURES, cost=cost)
    stacked.start_epoch()
    step(stacked, measured=True)
    _, table = stacked.epoch_means(1)
    assert stacked.layers == ["hidden", "output"] and table.shape == (3, 4, 3)
    for index, pair in enumerate(kernels):
        l2 = L2[index] if cost == "total" else 0.0
        found = gradients(IMAGES[STREAMS[index]], LABELS[STREAMS[index]], pair, l2=l2)
        by_hand = flow(found, masks_of(masks[index], pair))
        expected = [[by_hand[name, layer] for layer in (0, 1, "total")] for name in MEASURES]
        np.testing.assert_allclose(table[index], expected, rtol=1e-4, err_msg=str(index))


def test_a_step_that_is_not_measured_adds_no_flow(stack):
    stacked = stack(measures=MEASURES)
    stacked.start_epoch()
    step(stacked)
    assert not stacked.epoch_means(1)[1].any()


OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adagrad": keras.optimizers.Adagrad,
    "rmsprop": keras.optimizers.RMSprop,
    "momentum": lambda learning_rate: keras.optimizers.SGD(learning_rate, momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_padding_and_inactive_entries_stay_zero_and_their_slots_what_the_optimizer_began_with(stack, masks, name):
    model = template(batch_norm=True, bias=True)
    stacked = stack(OPTIMIZERS[name], model)
    step(stacked, steps=4)
    variables = {path: (path, v) for path, v in stacked._stacked.items() if "moving_variance" not in path}
    checked = 0
    for label, (path, variable) in {**variables, **stacked._slots()}.items():
        shape = next(tuple(v.shape) for v in model.variables if v.path == path)
        for index, (member, values) in enumerate(zip(stacked.members, variable.numpy(), strict=True)):
            present = np.zeros(shape, bool)
            present[tuple(slice(size) for size in member.shapes[path])] = masks[index].get(path, True)
            first = np.float32(0.1 if label.endswith("accumulator") else 0.0)  # Adagrad's begin so in Keras
            assert np.all(values.reshape(shape)[~present] == first), f"{label} of member {index}"
            checked += (~present).sum()
    assert checked > 50 and len(stacked._slots()) == {"adam": 12}.get(name, 6)


def test_variables_that_a_member_does_not_name_start_as_the_templates(stack):
    model = template(batch_norm=True, bias=True)
    model.get_layer("norm").gamma.assign([1.0, 2.0, 3.0, 4.0, 5.0])
    for width, state in zip(WIDTHS, stack(model=model).states(), strict=True):
        np.testing.assert_array_equal(state["norm/gamma"], np.arange(1.0, 1 + width))


def test_batch_norm_keeps_the_statistics_of_each_members_own_units_and_batch(stack, kernels):
    stacked = stack(model=template(batch_norm=True))
    step(stacked)
    for index, state in enumerate(stacked.states()):
        values = IMAGES[STREAMS[index]] @ kernels[index][0]
        np.testing.assert_allclose(state["norm/moving_mean"], 0.1 * values.mean(0), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(state["norm/moving_variance"], 0.9 + 0.1 * values.var(0), rtol=1e-4)


def test_states_are_those_of_networks_alone_masks_and_counters_included(stack, masks):
    stacked = stack(keras.optimizers.Adam)
    step(stacked, steps=2)
    for index, (width, state) in enumerate(zip(WIDTHS, stacked.states(), strict=True)):
        slots = [
            f"optimizer/{layer}_kernel_{slot}" for layer in ("hidden", "output") for slot in ("momentum", "velocity")
        ]
        paths = [mask_path(path) for path in masks[index]]
        assert set(state) == {"hidden/kernel", "output/kernel", "optimizer/iteration", *slots, *paths}
        assert state["optimizer/hidden_kernel_velocity"].shape == (INPUTS, width)
        assert state["optimizer/iteration"] == 2
        for path, mask in masks[index].items():
            np.testing.assert_array_equal(state[mask_path(path)], mask)


PLACES = ["/a", "/b", "/c"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_restored_stack_goes_on_as_if_nothing_had_been(stack, name):
    whole, restored = (stack(OPTIMIZERS[name], template(batch_norm=True, bias=True)) for _ in range(2))
    step(whole, 2)
    restored.restore(whole.states(), PLACES)
    for stacked in (whole, restored):
        step(stacked, 2)
    for one, other in zip(whole.states(), restored.states(), strict=True):
        for path, values in one.items():
            np.testing.assert_allclose(other[path], values, rtol=1e-6, atol=1e-8, err_msg=path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state.pop("optimizer/iteration"),
            "in /b is of another.*expected 'optimizer/iteration'",
        ),
        (lambda state: state.update({"hidden/kernel": np.zeros((3, 4))}), "in /b is.*expected 'hidden/kernel'"),
        (lambda state: state.update({"hidden/mask": ~state["hidden/mask"]}), "in /b has another mask"),
    ],
    ids=["name", "shape", "mask"],
)
def test_a_state_of_another_network_is_refused_and_nothing_is_changed(stack, change, message):
    trained, fresh = stack(keras.optimizers.Adam), stack(keras.optimizers.Adam)
    step(trained)
    states, before = trained.states(), fresh.states()
    change(states[1])
    with pytest.raises(ValueError, match=message):
        fresh.restore(states, PLACES)
    for one, other in zip(before, fresh.states(), strict=True):
        for path, values in one.items():
            np.testing.assert_array_equal(other[path], values, err_msg=path)


def test_a_probe_is_the_flow_of_one_batch_for_all_and_moves_nothing(stack, kernels, masks):
    stacked = stack(measures=MEASURES)
    found = stacked.flow_of(stacked.probe(tf.constant(IMAGES[1]), tf.constant(LABELS[1]), training=False)).numpy()
    for index, pair in enumerate(kernels):
        by_hand = flow(gradients(IMAGES[1], LABELS[1], pair, l2=L2[index]), masks_of(masks[index], pair))
        assert found[index, 3, 2] == pytest.approx(by_hand["egf_2", "total"], rel=1e-4)
        assert found[index, 0, 0] == pytest.approx(by_hand["grad_norm_1", 0], rel=1e-4)
    np.testing.assert_array_equal(stacked.states()[1]["hidden/kernel"], kernels[1][0])


def test_a_step_at_rates_that_are_not_finite_reaches_no_other_member(stack, kernels, masks):
    model, loss = template(batch_norm=True, bias=True), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    states = []
    for rate in (0.02, 1e38):
        chosen = [Member(**{**vars(m), "learning_rate": rate if i == 1 else m.learning_rate})
                  for i, m in enumerate(members(model, kernels, masks))]  # fmt: skip
        stacked = Stack(model, chosen, keras.optimizers.SGD, loss)
        step(stacked, 4)
        states.append(stacked.states())
    assert not np.isfinite(states[1][1]["hidden/kernel"]).all()
    for index in (0, 2):
        for path, values in states[0][index].items():
            np.testing.assert_array_equal(states[1][index][path], values, err_msg=path)
