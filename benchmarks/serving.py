"""Sizes of files, and times of a call, of a sparse network as it is deployed.

    python benchmarks/serving.py
    python benchmarks/serving.py --densities=0.1,0.02 --batch=128

One network at each density, by stock layers unless a row says otherwise. Times are medians over calls made turn about,
so that a machine whose speed drifts slows all alike. LiteRT has as many threads as `--threads` says. The extra `deploy`
is needed.
"""

import os
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# isort: split
import keras
import numpy as np
import tensorflow as tf
from absl import app, flags
from rich.console import Console
from rich.table import Table

from keras_sparseflow.twins import save_compressed, sparsify, strip_masks, to_sparse

DENSITIES = flags.DEFINE_list("densities", ["0.1", "0.02"], "shares of active weights.")
BATCH = flags.DEFINE_list("batch", ["1", "128"], "examples of a call.")
CALLS = flags.DEFINE_integer("calls", 30, "calls of each; the first three are not counted.", lower_bound=4)
THREADS = flags.DEFINE_integer("threads", 1, "threads of LiteRT.", lower_bound=1)
WIDTH = flags.DEFINE_integer("width", 3076, "units of each of 4 hidden layers.", lower_bound=1)

Call = Callable[[Any], Any]
SPARSE, DEFAULT = tf.lite.Optimize.EXPERIMENTAL_SPARSITY, tf.lite.Optimize.DEFAULT


def perceptron() -> keras.Model:
    """Returns the network: 3072 inputs, 4 hidden layers, 100 outputs."""
    x = images = keras.Input((3072,))
    for _ in range(4):
        x = keras.layers.Dense(WIDTH.value, activation="relu")(x)
    return keras.Model(images, keras.layers.Dense(100)(x))


def size_of(path: Path) -> int:
    """Returns the bytes of a file, or of all files of a folder."""
    return path.stat().st_size if path.is_file() else sum(size_of(part) for part in path.iterdir())


def litert(content: bytes, examples: int) -> Call:
    """Returns a call of a LiteRT file."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=THREADS.value)
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(source["index"], [examples, *source["shape"][1:]])
    interpreter.allocate_tensors()

    def call(images: Any) -> Any:
        interpreter.set_tensor(source["index"], images)
        interpreter.invoke()
        return interpreter.get_tensor(target["index"])

    return call


def converted(folder: Path, *optimizations: Any, half: bool = False) -> bytes:
    """Returns a SavedModel as a LiteRT file."""
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    converter.optimizations = list(optimizations)
    if half:
        converter.target_spec.supported_types = [tf.float16]
    content: bytes = converter.convert()
    return content


def deployed(density: float, folder: Path) -> tuple[dict[str, int], Callable[[int], dict[str, Call]]]:
    """Returns the bytes of each file of a network, and a function from examples to the calls that are timed."""
    twin = sparsify(perceptron(), density=density)
    stock, sparse = strip_masks(twin), to_sparse(twin, max_density=1.0)
    stock.save(folder / "stock.keras")
    sparse.save(folder / "sparse.keras")
    save_compressed(twin, folder / "twin.sparse")
    stock.export(folder / "stock", verbose=False)
    sparse.export(folder / "sparse", verbose=False)
    stock.export(folder / "stock.onnx", format="onnx", verbose=False)
    with zipfile.ZipFile(folder / "stock.keras.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "stock.keras")
    files = {
        "LiteRT": converted(folder / "stock"),
        "LiteRT, sparse encoding": converted(folder / "stock", SPARSE),
        "LiteRT, float16": converted(folder / "stock", DEFAULT, half=True),
        "LiteRT, int8": converted(folder / "stock", DEFAULT),
    }
    sizes = {
        ".keras": size_of(folder / "stock.keras"),
        ".keras, zipped": size_of(folder / "stock.keras.zip"),
        ".keras of sparse layers": size_of(folder / "sparse.keras"),
        "save_compressed": size_of(folder / "twin.sparse"),
        "SavedModel": size_of(folder / "stock"),
        "SavedModel of sparse layers": size_of(folder / "sparse"),
        "ONNX": size_of(folder / "stock.onnx"),
        **{name: len(content) for name, content in files.items()},
    }
    served = {name: tf.saved_model.load(str(folder / name)) for name in ("stock", "sparse")}

    def calls(examples: int) -> dict[str, Call]:
        import onnxruntime

        session = onnxruntime.InferenceSession(folder / "stock.onnx", providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        function = tf.function(lambda x: stock(x, training=False))
        return {
            "SavedModel": lambda x: served["stock"].serve(x).numpy(),
            "SavedModel of sparse layers": lambda x: served["sparse"].serve(x).numpy(),
            "model.predict": lambda x: stock.predict(x, batch_size=examples, verbose=0),
            "tf.function of the model": lambda x: function(x).numpy(),
            "ONNX": lambda x: session.run(None, {name: x})[0],
            **{kind: litert(content, examples) for kind, content in files.items()},
        }

    return sizes, calls


def timed(calls: dict[str, Call], images: Any) -> dict[str, float]:
    """Returns milliseconds of each call, the median over turns."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(CALLS.value):
        for name, call in calls.items():
            began = time.perf_counter()
            call(images)
            seconds[name].append(time.perf_counter() - began)
    return {name: 1000 * statistics.median(taken[3:]) for name, taken in seconds.items()}


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    batches = list(map(int, BATCH.value))
    for density in map(float, DENSITIES.value):
        table = Table(title=f"Density {density:g}")
        table.add_column("deployed as")
        for heading in ("MB", *(f"ms, batch {examples}" for examples in batches)):
            table.add_column(heading, justify="right")
        with tempfile.TemporaryDirectory() as folder:
            sizes, calls = deployed(density, Path(folder))
            random = np.random.default_rng(0)
            times = [timed(calls(examples), random.random((examples, 3072), np.float32)) for examples in batches]
        for name in dict.fromkeys([*sizes, *times[0]]):
            cells = [f"{one[name]:.2f}" if name in one else "" for one in times]
            table.add_row(name, f"{sizes[name] / 1e6:.1f}" if name in sizes else "", *cells)
        Console(width=100).print(table)


if __name__ == "__main__":
    app.run(main)
