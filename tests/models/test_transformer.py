"""The Vision Transformer: its published sizes, NumPy's outputs, fractions of its width, and what it has none of."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.layers import MaskedKernel
from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.models import vit
from keras_sparseflow.models.transformer import VIT
from tests.backend import MODEL_CLASS
from tests.models import reference
from tests.models.reference import value

SHAPE, CLASSES = (7, 8, 1), 3
SMALL = {"depth": 2, "width": 0.5, "patch_size": 2, "heads": 2}


def listed(depth=2, width=0.5, fraction=1.0, shape=SHAPE, classes=CLASSES, **details):
    details = {"patch_size": 2, "heads": 2, **details}
    return VIT.kernels(shape, classes, depth, width, skip_connections=True, fraction=fraction, details=details)


def images(count=4):
    return np.random.default_rng(0).normal(size=(count, *SHAPE)).astype("float32")


@pytest.fixture(scope="module")
def sparse():
    model = vit(SHAPE, CLASSES, **SMALL, density=0.3, seed=3, model_class=MODEL_CLASS)
    reference.randomize(model)
    return model


@pytest.mark.parametrize(
    ("width", "heads", "count"), [(12, 3, 5_717_416), (24, 6, 22_050_664), (48, 12, 86_567_656)], ids=["Ti", "S", "B"]
)
def test_the_size_is_the_published_one(width, heads, count):
    """ViT-Ti/16, ViT-S/16 and ViT-B/16 at 224 x 224 pixels with 1000 classes: 5.7, 22 and 86 million."""
    d, places = 16 * width, 14 * 14 + 1
    kernels = listed(12, width, shape=(224, 224, 3), classes=1000, patch_size=16, heads=heads)
    assert len(kernels) == 2 + 12 * 6
    assert sum(kernel.size for kernel in kernels) == 16 * 16 * 3 * d + 12 * (4 * d * d + 2 * 4 * d * d) + d * 1000
    biases = d + 12 * (4 * d + 4 * d + d) + 1000
    embeddings, norms = d + places * d, (2 * 12 + 1) * 2 * d
    assert sum(kernel.size for kernel in kernels) + biases + embeddings + norms == count


def test_what_is_built_has_these_parameters(sparse):
    """Parameters counted by hand: 4 x 4 patches of 2 x 2 pixels, embeddings of 8, two blocks of 2 heads of 4."""
    kernels = 2 * 2 * 8 + 2 * (4 * 8 * 8 + 2 * 8 * 32) + 8 * 3
    others = 8 + 2 * (4 * 8 + 32 + 8) + 3 + 8 + 17 * 8 + 5 * 2 * 8
    assert sum(math.prod(variable.shape) for variable in sparse.trainable_variables) == kernels + others
    found = {kernel.path: kernel for kernel in kernels_of(sparse)}
    expected = listed()
    assert {path: kernel.shape for path, kernel in found.items()} == {kernel.name: kernel.shape for kernel in expected}
    assert [(kernel.name, kernel.positions) for kernel in expected[:2]] == [("patches", 16), ("block1_query", 17)]
    for kernel in expected:
        assert sparse.get_layer(kernel.name).active_count == round(0.3 * kernel.size), kernel.name
        assert math.prod(sparse.get_layer(kernel.name).output.shape[1:-1]) == kernel.positions


def norm(model, name, x):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-6)
    return scaled * value(model, name, "gamma") + value(model, name, "beta")


def dense(model, name, x):
    return x @ value(model, name).astype("float64") + value(model, name, "bias")


def attend(model, block, x):
    query, key, values = (
        dense(model, f"{block}_{part}", x).reshape(len(x), 17, 2, 4).swapaxes(1, 2)
        for part in ("query", "key", "value")
    )
    shares = np.exp(query @ key.swapaxes(2, 3) / 2)
    attended = shares / shares.sum(-1, keepdims=True) @ values
    return dense(model, f"{block}_output", attended.swapaxes(1, 2).reshape(len(x), 17, 8))


def forward(model, x, skips):
    x = sum(window @ value(model, "patches")[place] for window, place in reference.windows(x, 2, 2))
    x = (x + value(model, "patches", "bias")).reshape(len(x), 16, 8)
    token = np.tile(value(model, "embedding", "class_token"), (len(x), 1, 1))
    x = np.concatenate([token, x], axis=1) + value(model, "embedding", "places")
    gelu = np.vectorize(lambda entry: entry * (1 + math.erf(entry / math.sqrt(2))) / 2)
    for block in ("block1", "block2"):
        x = attend(model, block, norm(model, f"{block}_norm1", x)) + skips * x
        hidden = gelu(dense(model, f"{block}_mlp1", norm(model, f"{block}_norm2", x)))
        x = dense(model, f"{block}_mlp2", hidden) + skips * x
    return dense(model, "output", norm(model, "final_norm", x)[:, 0])


def test_outputs_are_those_of_numpy(sparse):
    outputs = keras.ops.convert_to_numpy(sparse(images()))
    np.testing.assert_allclose(outputs, forward(sparse, images().astype("float64"), 1), rtol=1e-3, atol=1e-3)


def test_without_skip_connections_blocks_add_nothing_and_all_weights_are_the_same(sparse):
    plain = vit(SHAPE, CLASSES, **SMALL, density=0.3, seed=3, skip_connections=False)
    fresh = vit(SHAPE, CLASSES, **SMALL, density=0.3, seed=3)
    for one, other in zip(plain.variables, fresh.variables, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other))
    plain.set_weights(sparse.get_weights())
    outputs = keras.ops.convert_to_numpy(plain(images()))
    np.testing.assert_allclose(outputs, forward(plain, images().astype("float64"), 0), rtol=1e-3, atol=1e-3)


def test_kernels_of_one_shape_start_differently():
    model = vit(SHAPE, CLASSES, **SMALL, density=0.3, seed=3)
    kernels = [value(model, f"block1_{part}") for part in ("query", "key", "value", "output")]
    assert len({kernel.tobytes() for kernel in kernels}) == 4
    assert len({value(model, f"block1_{part}", "mask").tobytes() for part in ("query", "key", "value")}) == 3


@given(st.floats(0, 1, exclude_min=True), st.integers(1, 8), st.integers(1, 6), st.integers(1, 8), st.integers(1, 3))
def test_a_narrower_one_exists_for_every_fraction_and_each_kernel_has_its_share(fraction, size, heads, patch, depth):
    """`size` is that of a head; every kernel of a fraction fits into the same kernel of the whole width."""
    width = size * heads / 16
    narrow, wide = (listed(depth, width, share, (8, 8, 2), 5, patch_size=patch, heads=heads) for share in (fraction, 1))
    assert [(kernel.name, kernel.positions) for kernel in narrow] == [
        (kernel.name, kernel.positions) for kernel in wide
    ]
    assert all(one.size <= other.size for one, other in zip(narrow, wide, strict=True))
    of_head = max(1, round(fraction * size))
    of_embedding, of_block = (max(1, round(fraction * count * size * heads)) for count in (1, 4))
    shapes = {kernel.name: kernel.shape for kernel in narrow}
    assert shapes["patches"] == (patch, patch, 2, of_embedding) and shapes["output"] == (of_embedding, 5)
    for block in range(1, depth + 1):
        projections = [shapes[f"block{block}_{part}"] for part in ("query", "key", "value")]
        assert projections == [(of_embedding, heads * of_head)] * 3
        assert shapes[f"block{block}_output"] == (heads * of_head, of_embedding)
        assert shapes[f"block{block}_mlp1"] == (of_embedding, of_block)
        assert shapes[f"block{block}_mlp2"] == (of_block, of_embedding)


def test_a_fraction_is_built_with_as_many_heads():
    model = VIT.build(SHAPE, CLASSES, 1, 1, fraction=0.6, skip_connections=True)
    assert model.get_layer("block1_heads").heads == 4 and model.get_layer("block1_query").units == 4 * 2
    assert model.output_shape == (None, CLASSES) and model.get_layer("embedding").output.shape[-1] == 10


def test_a_step_moves_active_weights_alone(sparse):
    model = keras.models.clone_model(sparse)
    model.set_weights(sparse.get_weights())
    model.compile(
        keras.optimizers.Adam(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True
    )
    old = {layer.name: value(model, layer.name) for layer in model.layers if isinstance(layer, MaskedKernel)}
    model.train_on_batch(images(8), np.arange(8) % CLASSES)
    for name, before in old.items():
        mask, after = value(model, name, "mask"), value(model, name)
        assert not after[~mask].any() and np.mean(after[mask] != before[mask]) > 0.9, name


def test_options_reach_the_layers():
    model = vit(SHAPE, CLASSES, **SMALL, density=0.3, dense_ends=True, activation="relu", dropout=0.5, l2=0.1)
    masked = [layer.name for layer in model.layers if isinstance(layer, MaskedKernel)]
    assert len(masked) == 12 and not {"patches", "output"} & set(masked) and len(model.losses) == 14
    assert model.get_layer("block2_activation").activation is keras.activations.relu
    dropped = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.output for layer in dropped] == [model.get_layer(f"block{i}_mlp2").input for i in (1, 2)]
    assert not [layer for layer in vit(SHAPE, CLASSES, **SMALL).layers if isinstance(layer, MaskedKernel)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"depth": 0}, "`depth` must be at least 1, the number of a vit's blocks; received 0"),
        ({"width": 0.3}, "`width` must make a whole number of channels, at least 1, of the 16"),
        ({"heads": 3}, "`heads` must divide 8, the size of embeddings at width 0.5; received 3"),
        ({"heads": 0}, "`heads` must divide 8"),
        ({"patch_size": 8}, r"`patch_size` must be in \[1, 7\], for images of 7 x 8 pixels; received 8"),
    ],
)
def test_networks_that_there_are_not_are_refused_counted_and_built(wrong, message):
    with pytest.raises(ValueError, match=message):
        vit(SHAPE, CLASSES, **{**SMALL, **wrong})
    with pytest.raises(ValueError, match=message):
        listed(**wrong)


def test_batch_norm_is_refused():
    for make in (VIT.kernels, VIT.build):
        with pytest.raises(ValueError, match=r"vit has no BatchNorm \(BN\)"):
            make(SHAPE, CLASSES, 2, 0.5, batch_norm=True)
