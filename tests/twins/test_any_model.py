"""Twins of models of layers within layers: masked where the kernels are, of their own class, and back."""

import keras
import numpy as np
import pytest

from keras_sparseflow import SET, RigL, SparseModel, measure_flow
from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.masks import make_masks, set_masks
from keras_sparseflow.twins import load_compressed, save_compressed, sparsify, sparsity_summary, strip_masks
from keras_sparseflow.twins.copying import layers_of
from tests.backend import untraced
from tests.processes import run
from tests.twins.blocks import (
    BLOCKS,
    Classifier,
    Experts,
    classifier,
    convolutions,
    examples,
    experts,
    subclassed,
    transformer,
)
from tests.twins.models import alike, array, masks, outputs, same

pytestmark = pytest.mark.untraced
layers = keras.layers


@pytest.fixture(scope="module", params=BLOCKS)
def model(request):
    return BLOCKS[request.param]()


@pytest.fixture(scope="module")
def half(model):
    """Its twin of density 0.5, trained for two steps."""
    twin = sparsify(model, 0.5)
    twin.before = {kernel.path: array(kernel.variable) for kernel in kernels_of(twin)}
    twin.compile("adam", "mse")
    with untraced():
        twin.fit(examples(model), np.ones((4, 3)), epochs=2, verbose=0)
    return twin


def test_every_kernel_is_masked_and_class_names_and_outputs_are_the_models(model):
    twin, x = sparsify(model, 1.0), examples(model)
    assert isinstance(twin, type(model)) and type(twin).__name__ == type(model).__name__ and twin.name == model.name
    assert list(masks(twin)) == [kernel.path for kernel in kernels_of(model)]
    assert alike(outputs(twin, x), outputs(model, x)) and not masks(model)


def test_training_keeps_inactive_weights_at_zero_and_moves_the_others(half):
    for kernel in kernels_of(half):
        mask, kept = array(kernel.mask), array(kernel.variable)
        assert mask.sum() == round(0.5 * mask.size) and not kept[~mask].any(), kernel.path
        assert (kept[mask] != half.before[kernel.path][mask]).any(), kernel.path


def test_files_of_both_kinds_bring_back_class_masks_and_weights(half, tmp_path):
    x = examples(half)
    half.save(tmp_path / "twin.keras")
    save_compressed(half, tmp_path / "twin.sparse")
    for loaded in (keras.models.load_model(tmp_path / "twin.keras"), load_compressed(tmp_path / "twin.sparse")):
        assert type(loaded).__name__ == type(half).__name__
        assert list(masks(loaded)) == list(masks(half)) and same(masks(loaded).values(), masks(half).values())
        assert alike(outputs(loaded, x), outputs(half, x))


def test_stripping_gives_back_the_own_classes_and_the_same_outputs(model, half):
    stripped, x = strip_masks(half), examples(model)
    assert type(stripped) is type(model) and not masks(stripped)
    assert [type(layer) for layer in layers_of(stripped)] == [type(layer) for layer in layers_of(model)]
    assert [weight.shape for weight in stripped.weights] == [weight.shape for weight in model.weights]
    assert alike(outputs(stripped, x), outputs(half, x)) and masks(half)


def test_the_masks_of_a_twin_are_replaced_in_its_twin(half):
    assert sparsity_summary(sparsify(half, 0.2)).density == pytest.approx(0.2, abs=0.02)
    assert sparsity_summary(half).density == pytest.approx(0.5, abs=0.02)


LOAD = """
import sys
import numpy as np
import keras_sparseflow
import keras
import tests.twins.blocks
from tests.twins.models import masks
model = keras.models.load_model(sys.argv[1])
print(type(model).__name__, len(masks(model)), [round(float(mask.mean()), 1) for mask in masks(model).values()][:3])
"""


def test_a_file_loads_in_another_process_after_a_plain_import(tmp_path):
    sparsify(transformer(), 0.5).save(tmp_path / "twin.keras")
    assert run(LOAD, str(tmp_path / "twin.keras")).stdout.strip() == "Functional 15 [0.5, 0.5, 0.5]"


@pytest.mark.parametrize(
    ("make", "kernels"),
    [
        (subclassed, 13),
        pytest.param(classifier, 2, marks=pytest.mark.untraced(False)),  # traced before, to be traced anew
    ],
)
def test_the_model_itself_can_become_the_twin_and_turn_back(make, kernels):
    model = make()
    variables, x = [id(variable) for variable in model.trainable_variables], examples(model)
    model.compile("adam", "mse")
    model.fit(x, np.ones((4, 3)), verbose=0)
    before = outputs(model, x)
    assert sparsify(model, 1.0, inplace=True) is model and len(masks(model)) == kernels
    assert alike(outputs(model, x), before)
    set_masks(model, make_masks(model, 0.3), model.optimizer)
    model.fit(x, np.ones((4, 3)), verbose=0)
    assert all(not array(kernel.variable)[~array(kernel.mask)].any() for kernel in kernels_of(model))
    assert sorted(id(variable) for variable in model.trainable_variables) == sorted(variables)
    before = outputs(model, x)
    assert strip_masks(model, inplace=True) is model and not masks(model) and isinstance(model, type(make()))
    assert alike(outputs(model, x), before)


def test_methods_and_training_steps_stay():
    twin = sparsify(subclassed(), 0.5)
    assert twin.generate(examples(twin)).shape == (4,)
    twin, before = sparsify(classifier(), 0.5), len(Classifier.steps)
    twin.compile("sgd", "mse", run_eagerly=True)
    twin.fit(examples(twin), np.ones((4, 3)), verbose=0)
    assert len(Classifier.steps) == before + 1


@keras.saving.register_keras_serializable("tests")
class OwnAttention(layers.MultiHeadAttention):
    """A subclass of a layer with several kernels."""


def test_a_subclass_of_attention_keeps_its_class_and_its_masks_in_a_file(tmp_path):
    inputs = keras.Input((5, 8))
    twin = sparsify(keras.Model(inputs, OwnAttention(2, 4, name="att")(inputs, inputs)), 0.5)
    assert list(masks(twin)) == [f"att/{name}" for name in twin.get_layer("att").parts] and len(masks(twin)) == 4
    twin.save(tmp_path / "twin.keras")
    loaded = keras.models.load_model(tmp_path / "twin.keras")
    assert isinstance(loaded.get_layer("att"), OwnAttention) and same(masks(loaded).values(), masks(twin).values())
    assert alike(outputs(loaded, examples(twin)), outputs(twin, examples(twin)))


def test_states_of_stateful_layers_are_copied():
    inputs = keras.Input((5, 6), batch_size=2)
    model = keras.Model(inputs, layers.LSTM(4, stateful=True)(inputs))
    x = examples(model, 2)
    model(x)
    twin = sparsify(model, 1.0)
    assert alike(outputs(twin, x), outputs(model, x))


def test_a_stripped_layer_can_be_quantized_and_a_masked_one_not():
    twin = sparsify(classifier(), 0.5)
    with pytest.raises(ValueError, match="cannot be quantized"):
        twin.layers[1].quantize("int8")
    stripped = strip_masks(twin)
    stripped.layers[1].quantize("int8")
    assert stripped.layers[1].quantization_mode == "int8"


def test_a_clone_has_the_masks():
    twin = sparsify(transformer(), 0.5)
    assert same(masks(keras.models.clone_model(twin)).values(), masks(twin).values())


def test_a_layer_that_several_hold_is_masked_once():
    shared = layers.Dense(8, name="shared")

    class Holds(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = shared

        def call(self, inputs):
            return self.inner(inputs)

    inputs = keras.Input((8,))
    model = keras.Model(inputs, Holds()(Holds()(inputs)))
    with pytest.raises(
        ValueError, match=r"cannot be copied: .* of Holds .* is the variable of the model itself.*inplace"
    ):
        sparsify(model, 0.5)
    assert len(masks(sparsify(model, 0.5, inplace=True))) == 1
    assert sparsity_summary(model).kernels[0].dense_flops == 2 * 2 * 64


@pytest.mark.tensorflow("RigL, SET and flow")
@pytest.mark.parametrize(
    ("make", "expected"),
    [(transformer, {"one/att/query", "two/att/query", "one/ff/dense", "one/ff/dense#2", "head"}),
     (convolutions, {"lstm/kernel", "lstm/recurrent_kernel", "norm/inner", "head"})],
)  # fmt: skip
def test_masks_callbacks_and_flow_name_the_kernels_alike(make, expected):
    stock = make(SparseModel)
    twin = sparsify(stock, 0.5)
    twin.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    paths, x, y = [kernel.path for kernel in kernels_of(twin)], examples(twin), np.zeros(4)
    assert expected <= {*paths} and list(make_masks(stock, 0.5)) == list(make_masks(twin, 0.5)) == paths
    one = sorted(expected)[-1]
    for method in (RigL, SET):
        every, single = method(frequency=1, end_step=99), method(frequency=1, end_step=99, layers=[one])
        twin.fit(x, y, epochs=2, verbose=0, callbacks=[every])
        twin.fit(x, y, verbose=0, callbacks=[single])
        assert every.to_frame()["layer"].unique().tolist() == paths
        assert single.to_frame()["layer"].unique().tolist() == [one]
    flow = [row["layer"] for row in measure_flow(twin, (x, y), measures=["egf_2"])]
    assert flow == [*paths, "total"] == [*(kernel.path for kernel in sparsity_summary(twin).kernels), "total"]
    set_masks(twin, {path: ~mask for path, mask in masks(twin).items()})
    assert sparsity_summary(twin).density == 0.5 == np.mean([mask.mean() for mask in masks(twin).values()])


# --- what is not masked -----------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
class OwnKernel(layers.Layer):
    """A layer with a kernel that is no stock layer's."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 8), name="kernel")

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.kernel)


def own_kernel(*more):
    inputs = keras.Input((8,))
    x = OwnKernel(name="own")(inputs)
    for layer in more:
        x = layer(x)
    return keras.Model(inputs, x)


def test_a_kernel_that_cannot_be_masked_is_named_with_its_class():
    with pytest.raises(ValueError, match=r"no kernel that can be masked: its kernels .* 'own' of OwnKernel.*`include="):
        sparsify(own_kernel(), 0.5)


def test_more_than_a_tenth_that_stays_dense_is_warned_of_unless_it_is_excluded():
    model = own_kernel(layers.Dense(60, name="head"))
    with pytest.warns(UserWarning, match=r"12% of the entries .* the largest 'own/kernel' \(OwnKernel, 64\)"):
        sparsify(model, 0.5)
    assert masks(sparsify(model, 0.5, exclude="own")).keys() == {"head"}
    sparsify(own_kernel(layers.Dense(80, name="head")), 0.5)  # 9%


@pytest.mark.parametrize(("make", "include", "path"), [(own_kernel, "own", "own"), (own_kernel, OwnKernel, "own"),
                                                       (transformer, layers.Embedding, "tokens")])  # fmt: skip
def test_other_matrices_are_masked_on_request(make, include, path, tmp_path):
    twin = sparsify(make(), 0.5, include=include)
    assert path in masks(twin)
    x = examples(twin)
    twin.compile("adam", "mse")
    twin.fit(x, np.ones(twin(x).shape), epochs=2, verbose=0)
    kernel = {kernel.path: kernel for kernel in kernels_of(twin)}[path]
    assert not array(kernel.variable)[~array(kernel.mask)].any() and kernel.layer.density == 0.5
    twin.save(tmp_path / "twin.keras")
    loaded = keras.models.load_model(tmp_path / "twin.keras")
    assert same(masks(loaded).values(), masks(twin).values()) and alike(outputs(loaded, x), outputs(twin, x))
    assert not masks(strip_masks(twin))


@pytest.mark.filterwarnings("ignore:.* of the entries of kernels .* stay dense")  # of layers that are not included
@pytest.mark.parametrize(
    ("include", "names"),
    [(Experts, ["one/wide", "one/narrow", "two/wide", "two/narrow"]), ("one", ["one/wide", "one/narrow"]),
     (["one/wide", "two"], ["one", "two/wide", "two/narrow"])],
)  # fmt: skip
def test_several_matrices_of_a_layer_of_ones_own_are_masked_on_request(include, names, tmp_path):
    model = experts()
    twin = sparsify(model, 0.5, include=include)
    assert {*masks(twin)} == {"one/router", "two/router", "head", *names}
    assert {*masks(sparsify(twin, 0.25))} == {*masks(twin)}
    x, before = examples(twin), {kernel.path: array(kernel.variable) for kernel in kernels_of(twin)}
    twin.compile("adam", "mse")
    twin.fit(x, np.ones((4, 3)), epochs=2, verbose=0)
    for kernel in kernels_of(twin):
        if kernel.mask is not None:
            mask, kept = array(kernel.mask), array(kernel.variable)
            assert mask.sum() == mask.size // 2 and not kept[~mask].any(), kernel.path
            assert (kept[mask] != before[kernel.path][mask]).any(), kernel.path
    twin.save(tmp_path / "twin.keras")
    save_compressed(twin, tmp_path / "twin.sparse")
    for loaded in (keras.models.load_model(tmp_path / "twin.keras"), load_compressed(tmp_path / "twin.sparse")):
        assert masks(loaded).keys() == masks(twin).keys() and same(masks(loaded).values(), masks(twin).values())
        assert alike(outputs(loaded, x), outputs(twin, x))
        stripped = strip_masks(loaded, inplace=True)
        assert not masks(stripped) and alike(outputs(stripped, x), outputs(twin, x))
        assert [weight.path for weight in stripped.weights] == [weight.path for weight in model.weights]
        assert vars(stripped.get_layer("one")).keys() == vars(model.get_layer("one")).keys()


def test_a_matrix_without_a_name_is_not_masked_and_a_vector_of_two_axes_is_no_matrix():
    class Unnamed(layers.Layer):
        def build(self, shape):
            self.matrix = self.add_weight(shape=(shape[-1], 8))

        def call(self, inputs):
            return keras.ops.matmul(inputs, self.matrix)

    inputs = keras.Input((8,))
    with pytest.raises(
        ValueError, match=r"matrices that have a name of their own .* received 'own/variable' of Unnamed"
    ):
        sparsify(keras.Model(inputs, Unnamed(name="own")(inputs)), 0.5, include="own", inplace=True)
    with pytest.warns(UserWarning, match="stay dense"):
        assert sparsity_summary(sparsify(experts(), 0.5)).unmasked == (("one", "Experts", 96), ("two", "Experts", 96))


def test_an_inclusion_that_matches_nothing_is_refused_with_what_there_is():
    with pytest.raises(ValueError, match=r"`include` names 'token'.*expected one of: tokens/embeddings\."):
        sparsify(transformer(), 0.5, include="token")


class NoConfig(keras.Model):
    def __init__(self, dense):
        super().__init__()
        self.dense = dense

    def call(self, inputs):
        return self.dense(inputs)


def test_a_model_that_cannot_be_copied_can_be_masked_in_place_and_saving_says_what_to_use(tmp_path):
    model = NoConfig(lambda x: x)
    model.dense = layers.Dense(3)
    model(np.ones((1, 4)))
    with pytest.raises(ValueError, match=r"cannot be copied.*`inplace=True`"):
        sparsify(model, 0.5)
    sparsify(model, 0.5, inplace=True)
    with pytest.raises(NotImplementedError, match=r"NoConfig .* has no config.*model\.save_weights"):
        model.save(tmp_path / "twin.keras")
    x, before = np.ones((2, 4)), masks(model)
    model.save_weights(tmp_path / "twin.weights.h5")
    expected = outputs(model, x)
    set_masks(model, {path: ~mask for path, mask in before.items()})
    model.load_weights(tmp_path / "twin.weights.h5")
    assert same(masks(model).values(), before.values()) and alike(outputs(model, x), expected)
