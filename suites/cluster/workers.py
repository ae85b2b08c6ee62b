"""A program that trains one small network, alone or, where TF_CONFIG says so, as one of several workers.

It is run by `test_workers.py`; its argument is the folder that its findings go to.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_sparseflow import GradientFlow, MagnitudePruning, mlp
from keras_sparseflow.data import ImageData, ordered_batches, training_batches
from keras_sparseflow.training.distributed.multiworker import (
    MultiWorkerModel,
    is_chief,
    multiworker,
    wait_for_workers,
    worker_count,
)
from keras_sparseflow.training.distributed.strategy import synchronize_norms
from keras_sparseflow.training.dynamic.tfmot import import_tfmot

EPOCHS, STEPS, BATCH, TEST_COUNT = 4, 5, 8, 21


def main(folder: Path) -> None:
    """Trains, and writes what it finds."""
    strategy = multiworker() if "TF_CONFIG" in os.environ else tf.distribute.get_strategy()
    chief = is_chief(strategy)
    findings = {"workers": worker_count(strategy), "chief": chief}
    if worker_count(strategy) > 1:
        findings["keras"] = _error(lambda: _fit_by_keras_alone(strategy))
        findings["executions"] = _error(lambda: _model(strategy, steps_per_execution=2).fit(_batches(), verbose=0))
    model = _model(strategy)
    findings.update(_train(model))
    if chief:
        model.save(folder / "model.keras")
    wait_for_workers(strategy)
    findings["saved"] = (folder / "model.keras").exists()
    name = f"worker_{strategy.cluster_resolver.task_id}" if worker_count(strategy) > 1 else "alone"
    (folder / f"{name}.json").write_text(json.dumps(findings), encoding="utf-8")


def _images() -> ImageData:
    """Returns the data: brighter images for later classes."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, STEPS * BATCH).astype("int32")
    pixels = (rng.normal(size=(len(labels), 3, 3, 1)) + labels[:, None, None, None]).astype("float32")
    return ImageData("bright", pixels, labels, pixels[:TEST_COUNT], labels[:TEST_COUNT], tuple("abcd"), (0.0,), (1.0,))


def _train(model: keras.Model) -> dict[str, Any]:
    data, flow, steps = _images(), GradientFlow(), _Steps()
    schedule = import_tfmot().sparsity.keras.ConstantSparsity(0.8, begin_step=7, end_step=7)
    test = ordered_batches(data.test_images, data.test_labels, 10)  # the last batch leaves one image to share
    history = model.fit(
        _batches(),
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        validation_data=test,
        shuffle=False,
        verbose=0,
        callbacks=[MagnitudePruning(schedule), flow, steps],
    )
    return {
        "history": history.history,
        "flow": [row["value"] for row in flow.rows],
        "steps": steps.losses,
        "weights": _values(model.variables),
        "slots": _values(model.optimizer.variables),
        "evaluation": model.evaluate(test, verbose=0),
        "predictions": model.predict(data.test_images, batch_size=10, verbose=0).tolist(),
    }


def _batches() -> tf.data.Dataset:
    return training_batches(_images(), BATCH, seed=0, epochs=EPOCHS)


def _model(strategy: tf.distribute.Strategy, model_class: Any = MultiWorkerModel, **options: Any) -> keras.Model:
    with strategy.scope():
        model = mlp((3, 3, 1), 4, [8, 8], active=[40, 30, 20], batch_norm=True, l2=0.1, seed=3, model_class=model_class)
        synchronize_norms(model, strategy)
        model.compile(
            keras.optimizers.SGD(0.1, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            jit_compile=False,
            **options,
        )
    return model


def _fit_by_keras_alone(strategy: tf.distribute.Strategy) -> None:
    _model(strategy, keras.Model).fit(_batches(), verbose=0)


def _error(call: Any) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    return ""


def _values(variables: list[keras.Variable]) -> dict[str, Any]:
    return {variable.path: keras.ops.convert_to_numpy(variable).astype(float).tolist() for variable in variables}


class _Steps(keras.callbacks.Callback):
    """Keeps what callbacks are told after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.losses.append(float((logs or {})["loss"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
