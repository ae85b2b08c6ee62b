"""The network of a spec, compiled: what every executor trains."""

import keras

from keras_sparseflow.data import ImageData
from keras_sparseflow.experiments.capacity import KernelCapacity, match_capacity
from keras_sparseflow.experiments.spec import OPTIMIZERS, RunSpec
from keras_sparseflow.layers import MaskedKernel
from keras_sparseflow.models import mlp
from keras_sparseflow.training import SparseModel


def build_network(spec: RunSpec, data: ImageData) -> SparseModel:
    """Returns the spec's network, initialised and compiled.

    Raises:
        RuntimeError: its kernels do not have the active weights that the capacity calls for.
    """
    kernels = match_capacity(data.inputs, data.num_classes, spec.hidden_layers, spec.dense_width, spec.max_width)
    sparse = spec.arm == "sparse"
    parts = spec.parts
    model = mlp(
        data.input_shape,
        data.num_classes,
        [spec.max_width if sparse else spec.dense_width] * spec.hidden_layers,
        active=[kernel.active for kernel in kernels] if sparse else None,
        fan_ins=[initial_fan_in(kernel, spec.init_fan_in) for kernel in kernels],
        activation=spec.activation,
        batch_norm="BN" in parts,
        skip_connections="SC" in parts,
        l2=spec.l2 if "L2" in parts else 0.0,
        seed=spec.seed,
        model_class=SparseModel,
    )
    realised = active_weights(model)
    if realised != [kernel.active for kernel in kernels]:
        raise RuntimeError(
            f"The {spec.arm} network of {spec.run_id} must have {[kernel.active for kernel in kernels]} active "
            f"weights in its kernels; it has {realised}."
        )
    model.compile(
        optimizer=OPTIMIZERS.get(spec.optimizer)(learning_rate=spec.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    _make_state(model, data)
    return model


def _make_state(model: SparseModel, data: ImageData) -> None:
    """Makes the optimizer's and the metrics' variables now: a step that makes variables is traced twice."""
    model.optimizer.build(model.trainable_variables)
    images, labels = data.test_images[:1], data.test_labels[:1]
    model.compute_metrics(images, labels, model(images))
    model.reset_metrics()


def initial_fan_in(kernel: KernelCapacity, choice: str) -> float:
    """Returns the fan-in of the distribution that both arms' initial weights are drawn from.

    Args:
        kernel: the kernel in both arms.
        choice: "dense", "sparse" or "active".
    """
    return {
        "dense": kernel.dense_shape[0],
        "sparse": kernel.sparse_shape[0],
        "active": kernel.active_fan_in,
    }[choice]


def active_weights(model: keras.Model) -> list[int]:
    """Returns how many weights of each dense kernel are active, counted in the masks themselves."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    return [
        layer.active_count if isinstance(layer, MaskedKernel) else int(layer.kernel.shape[0] * layer.kernel.shape[1])
        for layer in layers
    ]
