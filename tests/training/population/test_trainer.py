"""`Population`: every step once, in calls of a few seconds; no flow's work where none is measured; no room."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.data import ImageData
from keras_sparseflow.data.equal_batches import EqualBatches
from keras_sparseflow.data.streams import BatchStreams, Stream
from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.flow.measures import FlowMeasure
from keras_sparseflow.training.population import trainer as population_module
from keras_sparseflow.training.population.stack import Member, Stack
from keras_sparseflow.training.population.trainer import CALL_SECONDS, Population

NO_TEST = EqualBatches.of(np.zeros((1, 1)), np.zeros(1), 1)


class Batches:
    """Batches whose images are the number of the step since training began, whose labels are its place in the epoch."""

    signature = (tf.TensorSpec((), tf.int64), tf.TensorSpec((), tf.int32))

    def __init__(self, steps):
        self.steps = steps

    def indices(self, epoch):
        return tf.range(self.steps)

    def batch(self, indices, step):
        return step, indices


class Counting:
    """A stack that counts what it is given."""

    members = (None,)

    def __init__(self, steps, epochs):
        self.seen = tf.Variable(tf.zeros((epochs, steps), tf.int32))
        self.measured = tf.Variable(tf.zeros((epochs,), tf.int32))
        self.steps, self.begun = steps, 0

    def start_epoch(self):
        self.begun += 1

    def evaluate(self, images, labels, counted):
        return tf.zeros((1, 2))

    def step(self, images, labels, measured):
        epoch = images // self.steps
        self.seen.scatter_nd_add([[epoch, tf.cast(labels, tf.int64)]], [1])
        self.measured.scatter_nd_add([[epoch]], [tf.cast(measured, tf.int32)])


def test_every_step_of_every_epoch_is_done_once_by_every_stack():
    stacks = [Counting(23, 3), Counting(23, 3)]
    population = Population(stacks, Batches(23), NO_TEST)
    for epoch in range(3):
        reported = []
        population.train_epoch(epoch, epoch == 1, reported.append)
        assert reported == sorted(set(reported)) and reported[-1] == 23
    for stack in stacks:
        assert (stack.seen.numpy() == 1).all() and stack.begun == 3
        assert stack.measured.numpy().tolist() == [0, 23, 0]


def test_no_more_batches_are_made_at_once_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(population_module, "BATCH_BYTES", 5 * (8 + 4))
    monkeypatch.setattr(population_module, "CALL_SECONDS", 1e6)  # however slow this machine is
    stack, reported = Counting(23, 1), []
    Population([stack], Batches(23), NO_TEST).train_epoch(0, False, reported.append)
    assert reported == [1, 5, 10, 15, 20, 23] and (stack.seen.numpy() == 1).all()


@pytest.fixture
def timed(monkeypatch):
    """A population without a program whose steps take as long as `cost` says; and the sizes of its calls."""

    def make(steps, cost):
        now, sizes = [0.0], []

        def run(programs, images, labels, steps, measured, meanwhile):
            sizes.append(int(steps))
            now[0] += cost(len(sizes)) * sizes[-1]

        monkeypatch.setattr(population_module.time, "monotonic", lambda: now[0])
        monkeypatch.setattr(population_module, "side_by_side", run)
        return Population([Counting(steps, 1)], Batches(steps), NO_TEST), sizes

    return make


def test_calls_grow_to_a_few_seconds_and_no_further(timed):
    population, sizes = timed(1000, lambda call: CALL_SECONDS / 128)
    reported = []
    population.train_epoch(0, False, reported.append)
    assert sizes == [1, 4, 16, 64, *[128] * 7, 19] and reported == np.cumsum(sizes).tolist()
    sizes.clear()
    population.train_epoch(1, False)
    assert sizes == [*[128] * 7, 104], "the next epoch begins with what was found"


def test_calls_shrink_when_steps_take_longer_to_one_step_at_least(timed):
    population, sizes = timed(500, lambda call: CALL_SECONDS * (1 / 128 if call < 7 else 1 / 4 if call < 12 else 15))
    population.train_epoch(0, False)
    assert sizes == [1, 4, 16, 64, 128, 128, 128, 4, 4, 4, 4, 4, *[1] * 11]


def test_a_first_call_that_compiles_for_long_makes_no_long_call(timed):
    population, sizes = timed(30, lambda call: 60.0 if call == 1 else 0.001)
    population.train_epoch(0, False)
    assert sizes == [1, 1, 4, 16, 8]


# --- real stacks ------------------------------------------------------------------------------------------------


@pytest.fixture
def population():
    """One network of one kernel, without a hidden layer."""

    def make(measures=(), jit_compile=None, test_batch=4, batch_size=4):
        rng = np.random.default_rng(0)
        images = rng.normal(size=(13, 2, 1, 1)).astype("float32")
        data = ImageData("noise", images, np.arange(13, dtype="int32") % 3, images, np.zeros(13), "abc", (0.0,), (1.0,))
        inputs = keras.Input((2, 1, 1))
        outputs = keras.layers.Dense(3, use_bias=False, name="output")(keras.layers.Flatten()(inputs))
        model = keras.Model(inputs, outputs)
        kernel = rng.normal(size=(2, 3)).astype("float32")
        member = Member(
            variables={"output/kernel": kernel}, shapes={"output/kernel": (2, 3)}, masks={}, learning_rate=0.1
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        stack = Stack(model, [member, member], keras.optimizers.SGD, loss, measures)
        test = EqualBatches.of(X, Y, test_batch)
        return Population([stack], BatchStreams(data, batch_size, [Stream(0)]), test, jit_compile)

    return make


@pytest.fixture
def counted_measure():
    """A measure that counts how often it is computed, in a list."""
    computed = []

    def value(gradient):
        computed.append(gradient.shape)
        return np.float32(1.0)

    def per_layer(gradient, mask):
        return tf.ensure_shape(tf.numpy_function(value, [gradient], tf.float32), ())

    MEASURES.register("counted", FlowMeasure(per_layer, sum, "1"))
    yield computed
    MEASURES.unregister("counted")


def test_an_epoch_that_is_not_measured_does_none_of_the_flows_work(population, counted_measure):
    program = population(("counted",))
    for epoch, measured in enumerate((False, True, False)):
        counted_measure.clear()
        program.train_epoch(epoch, measured)
        assert (len(counted_measure) >= 2 * 3) if measured else not counted_measure, "two members, three steps"
        _, flow = program.train_means()[0]
        assert flow.tolist() == ([[[1.0, 1.0]]] * 2 if measured else [[[0.0, 0.0]]] * 2)


@pytest.mark.parametrize("test_batch", [1, 3, 4, 100])
def test_means_over_test_batches_weigh_every_image_alike(population, test_batch):
    (values,) = population(test_batch=test_batch).evaluate()
    (whole,) = population(test_batch=len(X)).evaluate()
    np.testing.assert_allclose(values, whole, rtol=1e-5)
    hits = whole[:, 1] * len(X)
    assert (values[:, 1] == np.float32(hits.round()) / np.float32(len(X))).all(), "exact, for ties of pairs"


@pytest.mark.parametrize("batch_size", [1, 4, 12])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_probe_in_batches_is_that_of_all_images(population, batch_size, jit_compile):
    (whole,) = population(("egf_2",), batch_size=13).probe()
    program, reported = population(("egf_2",), jit_compile, batch_size=batch_size), []
    before = program.states()[0][0]["output/kernel"]
    for _ in range(2):  # the sums begin anew
        reported.clear()
        (parts,) = program.probe(on_call=reported.append)
        np.testing.assert_allclose(parts, whole, rtol=1e-5)
    assert whole.shape == (2, 1, 2) and (whole > 0).all()
    assert reported == sorted(set(reported)) and reported[-1] == 13 // batch_size
    assert (program.states()[0][0]["output/kernel"] == before).all()


def test_a_probe_is_done_in_calls_as_long_as_those_of_the_training(population):
    program, reported = population(("egf_2",), batch_size=1), []
    program._steps_a_call = 5
    program.probe(on_call=reported.append)
    assert reported == [5, 10, 13]


X = np.random.default_rng(1).normal(size=(7, 2, 1, 1)).astype("float32")
Y = np.arange(7, dtype="int32") % 3


@pytest.mark.slow
def test_many_populations_in_a_row_are_no_reason_to_warn_of_retracing(population, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("tensorflow"), "propagate", True)
    for _ in range(7):
        program = population(("egf_2",), jit_compile=False)
        program.train_epoch(0, True)
        program.evaluate()
        program.probe()
    assert "retracing" not in caplog.text


def test_the_test_is_prepared_while_the_training_is(population, monkeypatch):
    program, traced = population(), []
    for functions, name in ((program._steps, "train"), (program._tests, "test")):
        trace = functions[0].get_concrete_function
        monkeypatch.setattr(
            functions[0], "get_concrete_function", lambda *own, n=name, t=trace: traced.append(n) or t(*own)
        )
    program.train_epoch(0, False)
    assert traced.count("test") == 1 and traced[:2] == ["train", "test"], "once, in the first call"
    (values,) = program.evaluate()
    (again,) = program.evaluate()
    assert np.isfinite(values).all() and (values == again).all()


def test_other_errors_of_the_device_stay_what_they_are(population, monkeypatch):
    program = population()

    def broken(*arguments):
        raise tf.errors.InternalError(None, None, "broken")

    monkeypatch.setattr(program, "_make_batches", broken)
    with pytest.raises(tf.errors.InternalError, match="broken"):
        program.train_epoch(0, False)
