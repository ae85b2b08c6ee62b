"""Run in a process of its own: the same networks on one device and on two, which are halves of the CPU."""

import json
import sys
from pathlib import Path

import numpy as np

from keras_sparseflow.launchers.terminal import load_training_quietly
from keras_sparseflow.records.checkpoint_clock import CheckpointClock
from keras_sparseflow.studies.executors.options import Options, make_strategy
from keras_sparseflow.studies.run.log import RunLog

ONE, TWO = Options(), Options(strategy="mirrored", devices=2)


class InterruptionError(Exception):
    pass


def main(folder):
    load_training_quietly("serial", TWO)
    import keras

    from keras_sparseflow.data import load_images
    from keras_sparseflow.records import RunFolder
    from keras_sparseflow.studies.run import run as run_module
    from keras_sparseflow.studies.spec.measurement_spec import DIAGNOSTICS
    from keras_sparseflow.studies.spec.run_spec import RunSpec

    data = load_images("digits", image_size=4, train_size=170)  # 5 steps an epoch; 359 test images, an odd number
    states = {}
    CheckpointClock.due = lambda clock: True
    save = RunLog.save
    RunLog.save = lambda log, arrays: (states.__setitem__(log.folder.path, arrays), save(log, arrays))

    def spec(**values):
        values = {"epochs": 4, "variant": "DA_L2_BN", "augment_pad": 1, **values}
        return RunSpec.of(
            width=20, matched_fraction=0.5, hidden_layers=2, optimizer="momentum", learning_rate=0.05, batch_size=32,
            **values,
        )  # fmt: skip

    diagnosed = RunSpec.of(
        hidden_layers=1, width=8, density=0.5, variant="BN", batch_size=32, epochs=1, learning_rate=0.05,
        diagnostics=DIAGNOSTICS, diagnostic_samples=20, eigenvalue_iterations=20, landscape_steps=3,
    )  # fmt: skip

    def train(name, spec, options, stop=None):
        """Trains until an epoch, from where an earlier call of this name has stopped."""

        def on_epoch(epoch, logs):
            if epoch == stop:
                raise InterruptionError

        run_folder = RunFolder(f"{folder}/{name}", spec.run_id)
        try:
            run_module.run(
                spec, run_folder, data, tensorboard=False, strategy=make_strategy(options), on_epoch=on_epoch
            )
        except InterruptionError:
            return
        np.savez(f"{folder}/{name}.npz", **states[run_folder.path])
        run_folder.path.rename(f"{folder}/{name}-rows")

    for variant in ("DA_L2", "DA_L2_BN"):
        for name, options in (("one", ONE), ("two", TWO)):
            train(f"{variant}-{name}", spec(variant=variant), options)
    train("resumed", spec(), ONE, stop=1)
    train("resumed", spec(), TWO, stop=2)
    train("resumed", spec(), ONE)
    train("half_precision", spec(epochs=1, precision="mixed_float16"), TWO)
    for name, options in (("diagnosed-one", ONE), ("diagnosed-two", TWO)):
        train(name, diagnosed, options)
    found = {"policy": keras.config.dtype_policy().name, "overflow": overflow(make_strategy(TWO))}
    try:
        make_strategy(Options(strategy="tpu"))
    except RuntimeError as error:
        found["tpu"] = f"RuntimeError: {error}"
    Path(folder, "found.json").write_text(json.dumps(found))


def overflow(strategy):
    """One step in which only the second replica's half of the batch overflows: are weights finite, and the scale."""
    import keras
    import tensorflow as tf

    from keras_sparseflow import SparseModel, mlp
    from keras_sparseflow.training.precision import precision_policy

    images = np.random.default_rng(0).normal(size=(8, 3, 3, 1)).astype("float32")
    images[6] *= 6e4
    with strategy.scope(), precision_policy("mixed_float16"):
        model = mlp((3, 3, 1), 2, [4], active=[20, 6], model_class=SparseModel)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    model.fit(tf.data.Dataset.from_tensors((images, np.arange(8) % 2)), verbose=0, shuffle=False)
    finite = all(bool(np.isfinite(keras.ops.convert_to_numpy(weight)).all()) for weight in model.trainable_variables)
    return {"finite": finite, "scale": float(keras.ops.convert_to_numpy(model.optimizer.dynamic_scale))}


if __name__ == "__main__":
    main(sys.argv[1])
