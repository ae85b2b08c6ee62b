"""Parts that masks cut off: rows, units and kernels counted by hand, in every kind of layer, and weights on paths."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.masks import mask_report

layers = keras.layers


def chain():
    """Three inputs, three units, two units, one output."""
    return keras.Sequential(
        [keras.Input((3,)), *(layers.Dense(n, "relu", name=f"layer_{n}") for n in (3, 2)), layers.Dense(1, name="out")],
    )


MASKS = {
    # Input 2 feeds nothing, and unit 1 gets nothing.
    "layer_3": np.array([[1, 0, 1], [1, 0, 0], [0, 0, 0]], bool),
    # Unit 0 feeds nothing; unit 1, which got nothing, feeds unit 1 alone.
    "layer_2": np.array([[0, 0], [0, 1], [1, 0]], bool),
    "out": np.array([[1], [1]], bool),
}


@pytest.mark.tensorflow("mask_report(paths=True)")
def test_rows_units_and_paths_by_hand():
    report = mask_report(chain(), MASKS, paths=True)
    frame = report.to_frame().set_index("path")
    assert frame["active"].tolist() == [3, 2, 2]
    assert frame["density"].tolist() == [3 / 9, 2 / 6, 1.0]
    assert frame["cut_inputs"].tolist() == [1, 1, 0] and frame["inputs"].tolist() == [3, 3, 2]
    assert frame["cut_units"].tolist() == [1, 0, 0] and frame["units"].tolist() == [3, 2, 1]
    assert frame["on_paths"].tolist() == [1, 1, 1], "0 -> 2 -> 0 -> out is the only path"
    assert report.collapsed == () and "No kernel has collapsed" in str(report)
    assert mask_report(chain(), MASKS).to_frame()["on_paths"].isna().all()


@pytest.mark.tensorflow("mask_report(paths=True)")
def test_a_kernel_collapses_without_active_weights_or_if_known_without_paths():
    empty = mask_report(chain(), {**MASKS, "layer_2": np.zeros((3, 2), bool)})
    assert empty.collapsed == ("layer_2",) and "Nothing flows through 1 of 3: layer_2" in str(empty)
    inputs = keras.Input((2,))
    branch = layers.Dense(2, name="second")(layers.Dense(2, name="first")(inputs))
    model = keras.Model(inputs, layers.Add()([inputs, branch]))
    apart = {"first": np.array([[1, 0], [1, 0]], bool), "second": np.array([[0, 0], [1, 1]], bool)}
    assert mask_report(model, apart).collapsed == ()
    assert mask_report(model, apart, paths=True).collapsed == ("first", "second"), "the skip connection is left"


@pytest.mark.parametrize(
    ("layer", "shape", "kernel_shape", "dead", "inputs", "units"),
    [
        (layers.Conv2D(5, 3), (8, 8, 4), (3, 3, 4, 5), np.s_[:, :, 1, :], (1, 4), (0, 5)),
        (layers.Conv2D(5, 3), (8, 8, 4), (3, 3, 4, 5), np.s_[..., 2:4], (0, 4), (2, 5)),
        (layers.Conv2D(6, 3, groups=2), (8, 8, 4), (3, 3, 2, 6), np.s_[:, :, 0, :3], (1, 4), (0, 6)),
        (layers.Conv2D(6, 3, groups=2), (8, 8, 4), (3, 3, 2, 6), np.s_[..., 1], (0, 4), (1, 6)),
        (layers.Conv2DTranspose(5, 3), (8, 8, 4), (3, 3, 5, 4), np.s_[:, :, 1, :], (0, 4), (1, 5)),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 4), (3, 3, 4, 2), np.s_[:, :, 1], (1, 4), (2, 8)),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 4), (3, 3, 4, 2), np.s_[:, :, 1, 1], (0, 4), (1, 8)),
        (layers.EinsumDense("abc,cde->abde", (8, 2, 3)), (8, 4), (4, 2, 3), np.s_[:, 1, :], (0, 4), (3, 6)),
        (layers.EinsumDense("abc,cde->abde", (8, 2, 3)), (8, 4), (4, 2, 3), np.s_[1], (1, 4), (0, 6)),
        (layers.SimpleRNN(3), (8, 4), (4, 3), np.s_[:, 1], (0, 4), (1, 3)),
    ],
)
def test_axes_of_every_kind_of_kernel(layer, shape, kernel_shape, dead, inputs, units):
    model = keras.Sequential([keras.Input(shape), layer])
    mask = np.ones(kernel_shape, bool)
    mask[dead] = False
    path = next(k.path for k in kernels_of(model) if k.shape == kernel_shape)
    (kernel,) = mask_report(model, {path: mask}).kernels
    assert (kernel.cut_inputs, kernel.inputs) == inputs and (kernel.cut_units, kernel.units) == units


def test_the_masks_of_a_model_are_the_default():
    model = keras.Sequential([keras.Input((8,)), MaskedDense(5, density=0.25, mask_seed=0), layers.Dense(2)])
    (kernel,) = mask_report(model).kernels
    assert kernel.active == 10 and kernel.shape == (8, 5)


def test_masks_of_other_shapes_or_kernels_are_refused():
    with pytest.raises(ValueError, match="must name kernels.*received 'layer_9'"):
        mask_report(chain(), {"layer_9": np.ones((2, 2), bool)})
    with pytest.raises(ValueError, match=r"'out' must have shape \(2, 1\); received \(2,\)"):
        mask_report(chain(), {"out": np.ones(2, bool)})
    with pytest.raises(ValueError, match="at least one mask; received none"):
        mask_report(chain())


def test_what_is_printed_has_the_frames_names():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="hidden")])
    report = mask_report(model, {"hidden": np.ones((2, 2), bool)})
    assert {column.header for column in report.__rich__().columns} <= set(report.to_frame().columns)
