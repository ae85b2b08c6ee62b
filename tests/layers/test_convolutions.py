"""The convolutions that are used less often: exact counts, the stock layer's outputs, the invariant."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import (
    MaskedConv1DTranspose,
    MaskedConv2DTranspose,
    MaskedConv3DTranspose,
    MaskedDepthwiseConv1D,
)

layers = keras.layers
CASES = {
    "transposed_1d": (MaskedConv1DTranspose, layers.Conv1DTranspose, {"filters": 3, "kernel_size": 3}, (6, 4)),
    "transposed_2d": (MaskedConv2DTranspose, layers.Conv2DTranspose, {"filters": 3, "kernel_size": 2}, (4, 4, 3)),
    "transposed_3d": (MaskedConv3DTranspose, layers.Conv3DTranspose, {"filters": 2, "kernel_size": 2}, (3, 3, 3, 2)),
    "depthwise_1d": (MaskedDepthwiseConv1D, layers.DepthwiseConv1D, {"kernel_size": 3, "depth_multiplier": 2}, (6, 4)),
}


@pytest.mark.untraced
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_the_stock_layer_with_zeros_that_stay(case, tmp_path):
    masked, stock, arguments, shape = case
    layer, twin = masked(**arguments, density=0.4, mask_seed=0), stock(**arguments)
    model = keras.Sequential([keras.Input(shape), layer])
    inputs = np.random.default_rng(0).normal(size=(8, *shape)).astype("f")
    twin(inputs)
    mask = keras.ops.convert_to_numpy(layer.mask)
    assert mask.sum() == round(0.4 * mask.size) and mask.shape == tuple(twin.kernel.shape)
    model.compile("adam", "mse")
    model.fit(inputs, np.ones((8, *model.output_shape[1:])), epochs=2, verbose=0)
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    assert not kernel[~mask].any() and kernel[mask].all()
    twin.set_weights([kernel, keras.ops.convert_to_numpy(layer.bias)])
    np.testing.assert_array_equal(layer(inputs), twin(inputs))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras").layers[0]
    np.testing.assert_array_equal(loaded.mask, mask)
