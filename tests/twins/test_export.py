"""Compressed files: exact, small, whole or refused."""

import json
import os
import tracemalloc
import zipfile
import zlib

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.twins import load_compressed, mask_codes, save_compressed, sparsify
from tests.twins.models import alike, array, data, masks, outputs, same, transformer, weights


def dense_twin(density, units=600, inputs=500):
    model = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(units, name="dense")])
    return sparsify(model, density, score="magnitude")


def test_everything_comes_back_to_the_bit(twin, tmp_path):
    save_compressed(twin, tmp_path / "model.sparse")
    loaded = load_compressed(tmp_path / "model.sparse", safe_mode=False)
    inputs = data(twin)
    assert alike(outputs(loaded, inputs), outputs(twin, inputs))
    (kernels, others), (loaded_kernels, loaded_others) = weights(twin), weights(loaded)
    assert kernels.keys() == loaded_kernels.keys()
    assert all(kernels[path].tobytes() == loaded_kernels[path].tobytes() for path in kernels)
    assert same(others, loaded_others)
    assert masks(loaded).keys() == masks(twin).keys() and same(masks(loaded).values(), masks(twin).values())


def test_a_stock_model_comes_back_too_and_a_layer_with_inner_layers_of_its_own(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Block()(inputs))
    save_compressed(model, tmp_path / "model.sparse")
    loaded = load_compressed(tmp_path / "model.sparse")
    assert alike(outputs(loaded, np.eye(4)), outputs(model, np.eye(4)))


@pytest.mark.parametrize("layer", [keras.layers.Dense(4), MaskedDense(4, density=0.5, mask_seed=0)])
def test_lora_comes_back_as_it_is(layer, tmp_path):
    model = keras.Sequential([keras.Input((6,)), layer])
    layer.enable_lora(2, lora_alpha=3, b_initializer="ones")
    save_compressed(model, tmp_path / "model.sparse")
    loaded = load_compressed(tmp_path / "model.sparse")
    assert alike(outputs(loaded, np.eye(6)), outputs(model, np.eye(6))) and loaded.layers[0].lora_enabled
    assert same(loaded.trainable_variables, model.trainable_variables)


@keras.saving.register_keras_serializable("tests")
class Block(keras.layers.Layer):
    """Its dense layers are named by Keras anew each time that one is made."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = keras.layers.Dense(4), keras.layers.Dense(4)

    def build(self, shape):
        self.first.build(shape)
        self.second.build(shape)

    def call(self, inputs):
        return self.second(self.first(inputs))


@pytest.mark.parametrize(("density", "bytes_per_active"), [(0.5, 3.9), (0.1, 4.2), (0.01, 5)])
def test_size_follows_the_active_weights(density, bytes_per_active, tmp_path):
    """Four bytes a value, and what the mask takes."""
    twin = dense_twin(density)
    save_compressed(twin, tmp_path / "model.sparse")
    rest = 600 * 4 + 3_000  # biases; config, archive
    assert os.path.getsize(tmp_path / "model.sparse") < bytes_per_active * density * 300_000 + rest


@pytest.mark.parametrize(("kernel_dtype", "error"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_kernels_can_be_rounded_to_half_the_bytes(kernel_dtype, error, tmp_path):
    twin = dense_twin(0.5)
    save_compressed(twin, tmp_path / "half.sparse", kernel_dtype)
    save_compressed(twin, tmp_path / "whole.sparse")
    kernel, loaded = (array(kernels_of(m)[0].variable) for m in (twin, load_compressed(tmp_path / "half.sparse")))
    assert loaded.dtype == np.float32 and np.abs(loaded - kernel).max() > 0
    np.testing.assert_allclose(loaded, kernel, rtol=error, atol=1e-7)
    assert os.path.getsize(tmp_path / "whole.sparse") - os.path.getsize(tmp_path / "half.sparse") > 200_000


def test_an_unknown_type_and_a_weight_beyond_it_are_refused(tmp_path):
    twin = dense_twin(1.0, 2, 2)
    with pytest.raises(ValueError, match="None, 'float16' or 'bfloat16'; received 'int8'"):
        save_compressed(twin, tmp_path / "m", "int8")
    twin.layers[0].kernel.assign(np.full((2, 2), 1e6))
    with pytest.raises(ValueError, match=r"'float16' cannot hold 1000000\.0, which stands in dense"):
        save_compressed(twin, tmp_path / "m", "float16")
    assert not list(tmp_path.iterdir()), "nothing is left where writing fails"


def test_bfloat16_models_and_infinite_weights_come_back(tmp_path):
    model = keras.Sequential([keras.Input((4,)), MaskedDense(4, density=0.5, mask_seed=0, dtype="bfloat16")])
    kernel = array(model.layers[0].kernel).astype("f")
    kernel[array(model.layers[0].mask)] = [np.inf, -np.inf, np.nan, -0.0, 1, 2, 3, 4]
    model.layers[0].kernel.assign(kernel)
    save_compressed(model, tmp_path / "m")
    loaded = load_compressed(tmp_path / "m").layers[0].kernel
    assert array(loaded).tobytes() == array(model.layers[0].kernel).tobytes()


def test_how_a_model_was_compiled_is_not_stored(tmp_path):
    twin = dense_twin(0.5, 2, 4)
    twin.compile("adam", "mse")
    save_compressed(twin, tmp_path / "m")
    assert not load_compressed(tmp_path / "m").compiled


def test_lambdas_are_refused_unless_they_are_trusted(tmp_path):
    save_compressed(transformer(), tmp_path / "m")
    with pytest.raises(ValueError, match="lambda"):
        load_compressed(tmp_path / "m")


def test_vocabularies_and_models_that_are_not_built_are_refused(tmp_path):
    words = keras.layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot", name="words")
    model = keras.Sequential([keras.Input((1,), dtype="string"), words, keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"vocabularies, which this format does not hold: words\. Use `model\.save`"):
        save_compressed(model, tmp_path / "m")
    with pytest.raises(ValueError, match="must be built"):
        save_compressed(keras.Sequential([keras.layers.Dense(2)]), tmp_path / "m")


# --- damage -----------------------------------------------------------------------------------------------------


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path):
    path = tmp_path / "m"
    save_compressed(dense_twin(0.5, 4, 6), path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is corrupt or no file of `save_compressed`"):
            load_compressed(path)


def test_a_changed_byte_of_content_is_noticed(tmp_path):
    path = tmp_path / "m"
    save_compressed(dense_twin(0.5, 4, 6), path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        places = [(info.header_offset + 30 + len(info.filename), info.compress_size) for info in archive.infolist()]
    for start, size in places:
        # Not the last bytes, which hold the code for the end and bits that mean nothing: no content is lost there.
        for place in range(start, start + size - 4, max(1, size // 25)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
            with pytest.raises(ValueError, match="is corrupt"):
                load_compressed(path)


def test_other_archives_other_formats_and_missing_files_are_refused(tmp_path):
    model = dense_twin(0.5, 2, 4)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="is corrupt or no file of `save_compressed`"):
        load_compressed(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "m", "w") as archive:
        archive.writestr("model.json", '{"format": 99}')
        archive.writestr("arrays.bin", b"")
    with pytest.raises(ValueError, match="expected 1; received 99"):
        load_compressed(tmp_path / "m")
    with pytest.raises(FileNotFoundError):
        load_compressed(tmp_path / "nothing")


def test_a_file_that_cannot_be_replaced_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "m"
    save_compressed(dense_twin(0.5, 2, 4), path)
    before = path.read_bytes()

    def full(*args):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        save_compressed(dense_twin(0.5, 9, 4), path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.fixture
def forged(tmp_path):
    """Returns a function that writes a file of a small model as `change` leaves its text and arrays, and its path."""

    def forge(change, method=zipfile.ZIP_DEFLATED):
        path = tmp_path / "m"
        save_compressed(dense_twin(0.5, 9, 4), path)
        with zipfile.ZipFile(path) as archive:
            text, arrays = json.loads(archive.read("model.json")), archive.read("arrays.bin")
        changed = change(text)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model.json", json.dumps(text) if changed is None else changed, method)
            archive.writestr("arrays.bin", arrays, zipfile.ZIP_STORED)
        return path

    return forge


def entry(name, value, part=None):
    def change(text):
        held = text["variables"][0]
        if part is None:
            held[name] = value
        else:
            held[name][part] = value

    return change


def units(text):
    text["model"]["config"]["layers"][1]["config"]["units"] = 10**9


@pytest.mark.parametrize(
    "change",
    [
        *(
            entry("shape", shape)
            for shape in ([10**6, 10**7], [-1, 9], ["4", 9], [4.0, 9], 36, None, [4, 10], [0, 10**18])
        ),
        *(entry("dtype", kind) for kind in ("S1000000", "O", "float99", 3, None, "complex128")),
        *(entry("stored", kind) for kind in ("S1000000", "O", "datetime64", None)),
        *(entry("active", count) for count in (10**12, -1, 0.5, None, 19)),
        *(entry("mask", value, part) for part, value in ((0, "gaps99"), (1, -1), (1, "8"), (1, 10**12), (0, None))),
        *(entry("values", value, part) for part, value in ((0, "zip"), (1, -3), (1, None))),
        *(entry("places", places) for places in ([], ["nobody"], None, 3)),
        units,
        lambda text: text.update(variables=None),
        lambda text: text.update(variables={}),
        lambda text: text.update(model=3),
        lambda text: text.pop("model") and None,
        lambda text: text["model"].update(class_name="Nobody"),
        lambda text: text["model"]["config"].update(layers=3),
        lambda text: text["model"]["config"]["layers"][1]["config"].update(density="half"),
        lambda text: "[" * 100_000,
        lambda text: '{"format": 1, "variables": [' + "0," * 2**24 + "0]}",
        lambda text: b"\xff\x00",
    ],
)
def test_a_forged_file_is_a_value_error_and_takes_no_more_memory_than_its_size_tells(forged, change):
    path = forged(change)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"^{path} ") as refusal:
            load_compressed(path)
        assert tracemalloc.get_traced_memory()[1] < 1.5e8 and len(str(refusal.value).splitlines()) < 4
    finally:
        tracemalloc.stop()


def test_arrays_that_would_be_inflated_are_refused(tmp_path):
    model = dense_twin(0.5, 9, 4)
    save_compressed(model, tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m") as archive:
        text = archive.read("model.json")
    with zipfile.ZipFile(tmp_path / "m", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.json", text)
        archive.writestr("arrays.bin", bytes(10**8))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"arrays\.bin is compressed in another way"):
        load_compressed(tmp_path / "m")
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()


@pytest.mark.parametrize("limit", [0, 9, 999])
def test_no_more_is_inflated_than_asked_for(limit):
    content = zlib.compress(bytes(1000))
    with pytest.raises(ValueError, match=f"cannot be inflated to at most {limit} bytes"):
        mask_codes.inflated("A mask", content, limit)
    assert mask_codes.inflated("A mask", content, 1000) == bytes(1000)
    with pytest.raises(ValueError, match="and end there"):
        mask_codes.inflated("A mask", content + b"more", 1000)
