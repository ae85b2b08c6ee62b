"""Time, memory and inference of layers that compute active weights alone, as ratios to masked layers.

    python benchmarks/sparse_speed.py
    python benchmarks/sparse_speed.py --case=small --densities=0.1,0.01
    python benchmarks/sparse_speed.py --case=study

All networks of a density train in one process, turn about, so that a machine whose speed drifts slows them alike. A
turn is several steps, as in training, where a step finds in the caches what the one before it left there. A ratio is
the median over turns of time / time of the masked network in the same turn. Memory is that of a process of its own for
each network: resident, after two steps, above that of the process before it. Where PyTorch is installed, its
CSR matrices and its pruned layers are timed beside: it needs an environment of its own, with what is pinned here and
`torch`. The case "study" trains the sparse arm of a pair of CIFAR-100's width at a tenth of the maximum, on random
images, by both executions, and compares losses and EGF.
"""

import gc
import itertools
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import turns
from turns import BATCH, compiled  # before TensorFlow, which it silences

# isort: split
import keras
import numpy as np
import psutil
import tensorflow as tf
from absl import app, flags
from rich.console import Console
from rich.table import Table

from keras_sparseflow.layers import MaskedDense, SparseDense, kernels_by

CASES = {"small": (784, 788, 10), "large": (3072, 3076, 100)}
"""Inputs, units of each of 4 hidden layers, and outputs."""

CASE = flags.DEFINE_enum("case", "large", [*CASES, "study"], "which networks.")
DENSITIES = flags.DEFINE_list("densities", ["0.2", "0.1", "0.05", "0.02", "0.01"], "shares of active weights.")
MEMORY = flags.DEFINE_bool("memory", True, "measure resident memory, too.")
CPU_TIME = flags.DEFINE_bool("cpu_time", False, "compare the time of all threads, on a machine that others use.")
STUDY_STEPS = flags.DEFINE_integer("study_steps", 100, "steps of an epoch in the case study.", lower_bound=1)

flags.adopt_module_key_flags(turns)
flags.set_default(turns.TURNS, 10)
flags.set_default(turns.STEPS, 10)

Step = Callable[[], float]


def step_of(model: keras.Model, images: Any, labels: Any) -> Step:
    """Returns a function that trains a compiled model on a batch, and returns the loss."""
    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors((images, labels)).repeat())
    return lambda: float(model.train_function(batches)["loss"])


def network(layer: Callable[..., keras.layers.Layer], density: float | None) -> Any:
    """Returns a compiled perceptron of the case."""
    inputs, width, classes = CASES[CASE.value]
    x = images = keras.Input((inputs,))
    for number, units in enumerate([width] * 4 + [classes]):
        masks = {} if density is None else {"density": density, "mask_seed": number}
        x = layer(units, kernel_initializer=keras.initializers.HeNormal(number), **masks)(x)
        x = keras.layers.ReLU()(x) if number < 4 else x
    return compiled(keras.Model(images, x), keras.optimizers.SGD(1e-3, momentum=0.9))


def batch() -> tuple[tf.Tensor, tf.Tensor]:
    inputs, _, classes = CASES[CASE.value]
    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCH.value, inputs)).astype("float32")
    return tf.constant(images), tf.constant(rng.integers(0, classes, BATCH.value))


def made(name: str, density: float) -> Any:
    """Returns one of the networks by its name in the table."""
    if name == "stock":
        return network(keras.layers.Dense, None)
    if name == "masked":
        return network(MaskedDense, density)
    return network(SparseDense, density)


def steps_and_calls(name: str, density: float) -> tuple[Step, Step]:
    """Returns a training step and an inference of a network, traced with the kernels that its name says."""
    model, (images, labels) = made(name, density), batch()
    step = step_of(model, images, labels)
    call = tf.function(lambda: model(images, training=False), autograph=False)
    with kernels_by(name if name in ("numba", "tensorflow") else "numba"):
        step()
        call()
    return step, lambda: float(call()[0, 0])


def torch_steps(density: float) -> dict[str, Step]:
    """Returns a training step of PyTorch's CSR matrices, and of its pruned layers; none where it is not installed."""
    try:
        import torch
        from torch import nn
        from torch.nn.utils import prune
    except ImportError:
        return {}
    inputs, width, classes = CASES[CASE.value]
    sizes = [inputs, *[width] * 4, classes]
    images, labels = (torch.from_numpy(array.numpy()) for array in batch())

    class Csr(nn.Module):
        def __init__(self, rows: int, columns: int):
            super().__init__()
            dense = torch.randn(columns, rows) * (2 / rows) ** 0.5 * (torch.rand(columns, rows) < density)
            self.weight = nn.Parameter(dense.to_sparse_csr())
            self.bias = nn.Parameter(torch.zeros(columns))

        def forward(self, x: Any) -> Any:
            return torch.sparse.mm(self.weight, x.T).T + self.bias

    def pruned(rows: int, columns: int) -> Any:
        return prune.random_unstructured(nn.Linear(rows, columns), "weight", amount=1 - density)

    steps: dict[str, Step] = {}
    for name, layer in {"torch CSR": Csr, "torch prune": pruned}.items():
        layers = [part for pair in itertools.pairwise(sizes) for part in (layer(*pair), nn.ReLU())]
        model: Any = nn.Sequential(*layers[:-1])
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.0 if name == "torch CSR" else 0.9)

        def step(model: Any = model, optimizer: Any = optimizer) -> float:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels.long())
            loss.backward()
            optimizer.step()
            return float(loss)

        try:
            step()
        except RuntimeError as error:
            Console().print(f"{name} cannot train: {str(error).splitlines()[0]}")
        else:
            steps[name] = step
    return steps


def turn_about(functions: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of each function in each turn, mean of a few calls: of the clock, or of all threads."""
    clock = time.process_time if CPU_TIME.value else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            started = clock()
            for _ in range(turns.STEPS.value):
                function()
            times[name].append((clock() - started) / turns.STEPS.value)
    return times


def ratios(times: dict[str, list[float]]) -> dict[str, float]:
    """Returns for each the median of its ratios to "masked" in the same turn."""
    return {
        name: statistics.median(t / m for t, m in zip(values, times["masked"], strict=True))
        for name, values in times.items()
    }


def resident(name: str, density: float) -> float:
    """Returns by how many MB a process grows by a network and two steps of it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_grown, (name, density, CASE.value, BATCH.value))


def _grown(name: str, density: float, case: str, size: int) -> float:
    flags.FLAGS(["", f"--case={case}", f"--batch_size={size}"])
    inputs = batch()
    layer = SparseDense(100, density=0.1) if name in ("numba", "tensorflow") else keras.layers.Dense(100)
    with kernels_by(
        name if name in ("numba", "tensorflow") else "tensorflow"
    ):  # what Numba itself takes is no network's
        step_of(compiled(keras.Sequential([keras.Input((inputs[0].shape[1],)), layer])), *inputs)()
    gc.collect()
    before = psutil.Process().memory_info().rss
    step, _ = steps_and_calls(name, density)
    step()
    gc.collect()
    return (psutil.Process().memory_info().rss - before) / 1e6


def compare(densities: Sequence[float]) -> None:
    console, ours = Console(width=140), ("masked", "numba", "tensorflow")
    first = True
    tables = {what: Table(title=f"{what}, {CASE.value} network") for what in ("Step", "Inference", "Resident MB")}
    for density in densities:
        found = {name: steps_and_calls(name, density) for name in (*ours, "stock")}
        steps = {name: step for name, (step, _) in found.items()}
        calls = {name: call for name, (_, call) in found.items()}
        rows = {"Step": turn_about(steps, turns.TURNS.value), "Inference": turn_about(calls, turns.TURNS.value)}
        torch = torch_steps(density)  # of fewer turns: a step of a CSR matrix takes seconds
        beside = ratios(turn_about({"masked": steps["masked"], **torch}, min(3, turns.TURNS.value))) if torch else {}
        del found, steps, calls, torch
        gc.collect()
        memory = {name: resident(name, density) for name in (*ours, "stock")} if MEMORY.value else {}
        for what, times in rows.items():
            cells = ratios(times) | (
                {name: beside[name] for name in beside if name != "masked"} if what == "Step" else {}
            )
            if first:
                for heading in ("density", "masked ms", *cells):
                    tables[what].add_column(heading, justify="right")
            milliseconds = f"{1e3 * statistics.median(times['masked']):.1f}"
            tables[what].add_row(f"{density:g}", milliseconds, *(f"{ratio:.2f}" for ratio in cells.values()))
            console.print(what, density, {name: round(ratio, 3) for name, ratio in cells.items()})
        if first:
            for heading in ("density", *memory):
                tables["Resident MB"].add_column(heading, justify="right")
        tables["Resident MB"].add_row(f"{density:g}", *(f"{value:.0f}" for value in memory.values()))
        first = False
    for table in tables.values():
        console.print(table)


def study() -> None:
    """Compares epochs of a study's network under both executions."""
    from keras_sparseflow.data import ImageData
    from keras_sparseflow.layers.sparse.providers import BREAK_EVEN, provider
    from keras_sparseflow.studies.run.network import build_network
    from keras_sparseflow.studies.spec.run_spec import RunSpec
    from keras_sparseflow.training import GradientFlow

    clock = time.process_time if CPU_TIME.value else time.perf_counter
    rng, examples = np.random.default_rng(0), STUDY_STEPS.value * 128
    images = rng.normal(size=(examples, 32, 32, 3)).astype("float32")
    labels = rng.integers(0, 100, examples).astype("int32")
    names = tuple(str(number) for number in range(100))
    data = ImageData("noise", images, labels, images[:128], labels[:128], names, (0.0,) * 3, (1.0,) * 3)
    sparsities: dict[str, dict[str, Any]] = {
        "pair at 0.1 of the maximum width": {"matched_fraction": 0.1},
        "uniform 1%": {"matched_fraction": None, "density": 0.01, "distribution": "uniform"},
    }
    for title, sparsity in sparsities.items():
        spec = RunSpec.of(dataset="cifar100", width=3076, hidden_layers=4, batch_size=128, **sparsity)
        models = [build_network(spec, data, max_density=limit) for limit in (None, BREAK_EVEN[provider()])]
        seconds: list[list[float]] = [[], []]
        losses: list[list[float]] = [[], []]
        flows = [GradientFlow(epochs=range(1, 5), measures=["egf_1", "egf_2"]) for _ in models]
        for epoch in range(5):
            for turn, (model, flow) in enumerate(zip(models, flows, strict=True)):
                began = clock()
                fit = {"batch_size": 128, "shuffle": False, "verbose": 0, "callbacks": [flow] if epoch == 4 else []}
                history = model.fit(images, labels, epochs=epoch + 1, initial_epoch=epoch, **fit)
                seconds[turn].append(clock() - began)
                losses[turn].append(history.history["loss"][0])
        ratio = statistics.median(m / s for m, s in zip(seconds[0][1:4], seconds[1][1:4], strict=True))
        egf = [np.array([row["value"] for row in flow.rows]) for flow in flows]
        print(f"{title}: masked / sparse {ratio:.2f}")
        masked, sparse = map(np.array, losses)
        print(f"  losses differ by {np.abs((masked - sparse) / masked).max():.1e}", end="; ")
        print(f"EGF by {np.abs((egf[0] - egf[1]) / egf[0]).max():.1e}")
        del models, flows


def main(argv: list[str]) -> None:
    del argv
    if CASE.value == "study":
        study()
    else:
        compare([float(density) for density in DENSITIES.value])


if __name__ == "__main__":
    app.run(main)
