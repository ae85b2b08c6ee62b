"""Files whose size follows the active weights: the values of these, and masks in few bits.

A file is a zip archive of two members, without pickles:

    model.json    the format's version, the model's config, and for each variable its places, shape,
                  type, and the codes of its mask and values with how many bytes they take
    arrays.bin    for each variable in turn its mask and its active values, in these codes

The archive's checksums, and the sizes in `model.json`, are checked when a file is loaded; nothing is inflated that is
larger than the weights it says it holds.
"""

import contextlib
import io
import json
import math
import os
import threading
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import ml_dtypes
import numpy as np
import psutil
from keras import ops

from keras_sparseflow.layers.sparse.sparse_kernel import SparseValues
from keras_sparseflow.layers.structure import Kernel, kernels_of, variables_at_places, walk
from keras_sparseflow.twins import mask_codes, value_codes
from keras_sparseflow.twins.kinds import SPARSE_OF

FORMAT = 1
_WITH_MASKS = ("keras_sparseflow>Masked", *(f"keras_sparseflow>{kind.__name__}" for kind in SPARSE_OF.values()))
_KERNEL_TYPES = ("float16", ml_dtypes.bfloat16.__name__)  # NumPy knows the second by its package

_LARGEST_TEXT = 2**24
"""Bytes that `model.json` may have once inflated: the largest of networks need some millions."""

_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, AttributeError, IndexError),
    EOFError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    MemoryError,
)
"""Exceptions that Python raises for damaged archives and texts, by the place of the damage."""


def save_compressed(model: keras.Model, path: str | os.PathLike[str], kernel_dtype: str | None = None) -> None:
    """Writes a model into one file that holds active weights only, atomically.

    `load_compressed` gives back a model with the same weights, masks and outputs, to the bit. The
    state of the optimizer and how the model was compiled are not stored. Models that are not masked
    can be stored too; that saves little.

    Args:
        model: built; one that Keras can make from its config.
        path: of the file; its folder must exist.
        kernel_dtype: None keeps kernels as they are. "float16" or "bfloat16" rounds them to half the
            bytes; they are loaded as what they were, rounded.

    Raises:
        ValueError: the model is not built or holds vocabularies, which are no arrays; the type is
            another; or a weight is too large for float16.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from keras_sparseflow import MaskedDense
        >>> model = keras.Sequential([keras.Input((64,)), MaskedDense(100, density=0.01, mask_seed=0)])
        >>> with TemporaryDirectory() as folder:
        ...     save_compressed(model, f"{folder}/model.sparse")
        ...     os.path.getsize(f"{folder}/model.sparse") < 4 * 64 * 100 / 3
        True
    """
    if not model.built:
        raise ValueError(f"`model` must be built: call {model.name!r} on data or give it a `keras.Input` first.")
    if kernel_dtype not in (None, *_KERNEL_TYPES):
        raise ValueError(
            f"`kernel_dtype` must be None, {' or '.join(map(repr, _KERNEL_TYPES))}; received {kernel_dtype!r}."
        )
    with_assets = [inner for inner, chain in walk(model) if hasattr(chain[-1], "save_assets")]
    if with_assets:
        raise ValueError(
            f"Model {model.name!r} has layers with vocabularies, which this format does not hold: "
            f"{', '.join(with_assets)}. Use `model.save` instead."
        )
    kernels = {id(kernel.variable): kernel for kernel in kernels_of(model)}
    places: dict[int, list[str]] = {}
    variables = {place.path: place.variable for place in variables_at_places(model)}
    for inner, variable in variables.items():
        places.setdefault(id(variable), []).append(inner)
    entries, contents = [], []
    for names in places.values():
        variable = variables[names[0]]
        entry, *content = _encode(variable, kernels.get(id(variable)), kernel_dtype)
        entries.append({"places": names, **entry})
        contents += content
    text = {"format": FORMAT, "keras": keras.__version__, "model": _config(model), "variables": entries}
    text["lora_alpha"] = {
        inner: chain[-1].lora_alpha for inner, chain in walk(model) if getattr(chain[-1], "lora_enabled", False)
    }
    encoded = json.dumps(text).encode()
    if len(encoded) > _LARGEST_TEXT:
        raise ValueError(f"The config of {model.name!r} has {len(encoded)} bytes; this format holds {_LARGEST_TEXT}.")
    _write(Path(path), encoded, b"".join(contents))


def load_compressed(
    path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True
) -> keras.Model:
    """Returns the model that `save_compressed` wrote; it is not compiled.

    Args:
        path: of the file.
        custom_objects: classes and functions of the model that are not registered with Keras, by name.
        safe_mode: whether to refuse models with Python lambdas, which a file could abuse.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is corrupt, cut off, of another kind or of a newer format, or Keras cannot make its model.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from keras_sparseflow import MaskedDense
        >>> model = keras.Sequential([keras.Input((8,)), MaskedDense(4, density=0.25, mask_seed=0)])
        >>> with TemporaryDirectory() as folder:
        ...     save_compressed(model, f"{folder}/model.sparse")
        ...     load_compressed(f"{folder}/model.sparse").layers[0].active_count
        8
    """
    text, arrays = _read(Path(path))
    largest = _largest(Path(path), text["variables"])
    try:
        with _no_weight_above(largest):
            model = keras.saving.deserialize_keras_object(text["model"], dict(custom_objects or {}), safe_mode)
        return _filled(Path(path), model, text, arrays)
    except Exception as error:  # Keras and classes of others raise anything where a config is wrong
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(f"{path} holds no model that Keras can make here, but {why}") from error


def _filled(path: Path, model: Any, text: Mapping[str, Any], arrays: bytes) -> keras.Model:
    """Returns a model with the masks and weights of a file."""
    kernels = {id(kernel.variable): kernel for kernel in kernels_of(model)}
    variables = {place.path: place.variable for place in variables_at_places(model)}
    stored = {inner for entry in text["variables"] for inner in entry["places"]}
    if stored != variables.keys():
        odd = ", ".join(sorted(stored ^ variables.keys()))
        raise ValueError(f"{path} and the model that Keras made of its config do not have the same variables: {odd}.")
    for entry in text["variables"]:
        variable = variables[entry["places"][0]]
        expected = tuple(variable.dense().shape if isinstance(variable, SparseValues) else variable.shape)
        if tuple(entry["shape"]) != expected:
            raise _corrupt(path, f"{entry['places'][0]} must have the shape {expected}, but has {entry['shape']}")
    for entry, mask, values in _decoded(path, text["variables"], arrays):
        for inner in entry["places"]:
            kernel = kernels.get(id(variables[inner]))
            if kernel is not None and kernel.mask is not None:
                kernel.layer.set_mask(mask)
            variable = variables[inner]
            variable.assign(variable.of_dense(values) if isinstance(variable, SparseValues) else values)
    for inner, chain in walk(model):
        layer: Any = chain[-1]
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
        if inner in text.get("lora_alpha", {}):
            layer.lora_alpha = text["lora_alpha"][inner]  # Keras' Dense loses it when it is built
    return model


def _largest(path: Path, entries: list[Any]) -> int:
    """Returns the entries of the largest variable of a file, whose sizes, types and codes make sense.

    Raises:
        ValueError: they do not, or there is not enough memory for them.
    """
    try:
        sizes = [math.prod(_natural(side) for side in entry["shape"]) for entry in entries]
        total = sum(size * _item_bytes(entry["dtype"]) for size, entry in zip(sizes, entries, strict=True))
        for size, entry in zip(sizes, entries, strict=True):
            if not entry["places"] or _natural(entry["active"]) > size or not _item_bytes(entry["stored"]):
                raise ValueError(f"{entry['places']} cannot have {entry['active']} active weights of {size}")
            for part in ("mask", "values"):
                _natural(entry[part][1])
    except _UNREADABLE as error:
        raise _corrupt(path, f"an entry of a variable is wrong ({type(error).__name__}: {error})") from error
    free = psutil.virtual_memory().available
    if total > free:
        raise ValueError(f"{path} holds weights of {total:,} bytes, more than the {free:,} that are free.")
    return max(sizes, default=0)


def _natural(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"expected a whole number of at least 0; received {value!r}")
    return value


def _item_bytes(name: Any) -> int:
    kind = np.dtype(str(name))
    if kind.kind not in "biuf" and kind != ml_dtypes.bfloat16:
        raise ValueError(f"expected a type of numbers; received {name!r}")
    return kind.itemsize


_ONE_AT_A_TIME = threading.Lock()


# A forged config could ask for a layer of any size, and Keras would make its weights before anyone can look at them.
@contextlib.contextmanager
def _no_weight_above(entries: int) -> Iterator[None]:
    """Refuses layers that make, in this thread and inside the context, a weight of more than so many entries."""
    add, thread = keras.layers.Layer.add_weight, threading.get_ident()

    def checked(layer: Any, shape: Any = None, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() == thread and math.prod(shape or ()) > entries:
            raise ValueError(
                f"The config of layer {layer.name!r} asks for a weight of shape {tuple(shape)}; the largest that the "
                f"file holds has {entries} entries."
            )
        return add(layer, shape, *args, **kwargs)

    with _ONE_AT_A_TIME:
        keras.layers.Layer.add_weight = checked
        try:
            yield
        finally:
            keras.layers.Layer.add_weight = add


def _encode(variable: keras.Variable, kernel: Kernel | None, kernel_dtype: str | None) -> tuple[Any, bytes, bytes]:
    """Returns what is written of a variable: its entry, the bytes of its mask and those of its active values."""
    values = variable.dense() if isinstance(variable, SparseValues) else ops.convert_to_numpy(variable)
    mask = np.ones(values.shape, bool)
    if kernel is not None and kernel.mask is not None:
        mask = ops.convert_to_numpy(kernel.mask)
    active = stored = values[mask]
    if kernel is not None and kernel_dtype is not None and values.dtype in (np.float32, np.float64):
        stored = _rounded(active, kernel_dtype, kernel.path)
    mask_code, mask_bytes = mask_codes.encode(mask)
    value_code, value_bytes = value_codes.encode(stored)
    entry = {
        "shape": list(values.shape),
        "dtype": values.dtype.name,
        "stored": stored.dtype.name,
        "active": active.size,
        "mask": [mask_code, len(mask_bytes)],
        "values": [value_code, len(value_bytes)],
    }
    return entry, mask_bytes, value_bytes


def _rounded(values: np.ndarray, dtype: Any, path: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        rounded = values.astype(np.dtype(dtype))
    if (np.isinf(rounded) & np.isfinite(values)).any():
        raise ValueError(f"`kernel_dtype` {dtype!r} cannot hold {np.abs(values).max()}, which stands in {path}.")
    return rounded


def _decoded(path: Path, entries: list[Any], arrays: bytes) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
    """Yields each variable's entry, mask and values."""
    total = sum(entry[part][1] for entry in entries for part in ("mask", "values"))
    if total != len(arrays):
        raise _corrupt(path, f"expected {total} bytes of arrays; received {len(arrays)}")
    content = io.BytesIO(arrays)
    for entry in entries:
        (mask_code, mask_bytes), (value_code, value_bytes) = entry["mask"], entry["values"]
        try:
            mask = mask_codes.decode(mask_code, content.read(mask_bytes), math.prod(entry["shape"]))
            active = value_codes.decode(value_code, content.read(value_bytes), entry["active"], entry["stored"])
        except ValueError as error:
            raise _corrupt(path, str(error)) from error
        if np.count_nonzero(mask) != active.size:
            raise _corrupt(path, f"{active.size} values for a mask of {np.count_nonzero(mask)} active entries")
        values = np.zeros(mask.size, entry["dtype"])
        values[mask] = active.astype(entry["dtype"])
        yield entry, mask.reshape(entry["shape"]), values.reshape(entry["shape"])


def _config(model: keras.Model) -> Any:
    """Returns a model's config without its masks, which stand in `arrays.bin`, and without how it was compiled."""

    def clean(item: Any) -> Any:
        if isinstance(item, list | tuple):
            return [clean(inner) for inner in item]
        if not isinstance(item, dict):
            return item
        masked = str(item.get("registered_name")).startswith(_WITH_MASKS)
        kept = {name: clean(inner) for name, inner in item.items() if name != "compile_config"}
        if masked:
            kept["config"] = {name: inner for name, inner in kept["config"].items() if name not in ("mask", "masks")}
        return kept

    return clean(keras.saving.serialize_keras_object(model))


def _write(path: Path, text: bytes, arrays: bytes) -> None:
    """Puts the whole archive at `path`; after any failure, nothing."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("model.json", text, zipfile.ZIP_DEFLATED)
                archive.writestr("arrays.bin", arrays, zipfile.ZIP_STORED)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    content = io.BytesIO(path.read_bytes())
    try:
        with zipfile.ZipFile(content) as archive:
            text = json.loads(_member(archive, "model.json", zipfile.ZIP_DEFLATED, _LARGEST_TEXT))
            arrays = _member(archive, "arrays.bin", zipfile.ZIP_STORED, len(content.getbuffer()))
    except _UNREADABLE as error:
        raise _corrupt(path, str(error)) from error
    if not isinstance(text, dict) or text.get("format") != FORMAT:
        found = text.get("format") if isinstance(text, dict) else type(text).__name__
        raise ValueError(f"{path} is of another format: expected {FORMAT}; received {found!r}.")
    if not isinstance(text.get("variables"), list) or not isinstance(text.get("model"), dict):
        raise _corrupt(path, "expected `model` and `variables` in model.json")
    return text, arrays


def _member(archive: zipfile.ZipFile, name: str, method: int, limit: int) -> bytes:
    """Returns the content of a member, of which no more than `limit` bytes are ever inflated."""
    if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, method):
        raise ValueError(f"{name} is compressed in another way than `save_compressed` does it")
    with archive.open(name) as file:
        found = file.read(limit + 1)
    if len(found) > limit:
        raise ValueError(f"{name} must have at most {limit} bytes")
    return found


def _corrupt(path: Path, why: str) -> ValueError:
    return ValueError(f"{path} is corrupt or no file of `save_compressed`: {why}.")
