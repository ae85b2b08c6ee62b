"""The network of a spec, compiled: what executors train."""

from math import prod
from pathlib import Path

import keras

from keras_sparseflow.data import DataSize, ImageData
from keras_sparseflow.flow.tensors import flow_kernels
from keras_sparseflow.layers.structure import Kernel
from keras_sparseflow.studies.run.density_network import density_model
from keras_sparseflow.studies.run.pair_network import arm_model
from keras_sparseflow.studies.run.recipe import l2_decay, learning_rates, loss, optimizer_factory
from keras_sparseflow.studies.run.tweaking import Say, rescaled, with_ghosts
from keras_sparseflow.studies.run.varying import prepare_by_parts
from keras_sparseflow.studies.size.kernel_counts import decides_over_all, kernels_of
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.distributed.multiworker import network_class
from keras_sparseflow.training.optimizers import decay_kernels


def build_network(
    spec: RunSpec,
    data: ImageData,
    *,
    jit: bool | None = None,
    study_dir: Path | None = None,
    allow_collapse: bool = False,
    initialise: bool = True,
    say: Say = lambda _: None,
) -> SparseModel:
    """Returns the spec's network, initialised and compiled.

    Args:
        spec: what to build.
        data: whose image shape and classes it fits.
        jit: whether XLA compiles its steps; None for Keras' choice.
        study_dir: see `density_model`, as is the next.
        allow_collapse: likewise.
        initialise: whether its weights matter: those of a network that is going to be restored need not be rescaled.
        say: told what goes on where that takes long.

    Raises:
        ValueError: see `density_model`.
        RuntimeError: it does not have the active weights that the spec calls for; or see `prepare_by_parts`.
    """
    model = _model(spec, data, study_dir, allow_collapse)
    if initialise:
        rescaled(model, spec, data, say)
    model = with_ghosts(model, spec)
    prepare_by_parts(model, spec)
    _check_active(model, spec, data)
    optimizer = optimizer_factory(spec)(learning_rate=learning_rates(spec, spec.training.learning_rate, data))
    if l2_decay(spec):
        decay_kernels(optimizer, l2_decay(spec), model.trainable_variables)
    model.compile(
        optimizer=optimizer,
        loss=loss(spec),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile="auto" if jit is None else jit,
    )
    _make_state(model, data)
    return model


def active_weights(model: keras.Model) -> list[int]:
    """Returns how many weights of each kernel are active, counted in the masks themselves."""
    return [_active(kernel) for kernel in flow_kernels(model)]


def _active(kernel: Kernel) -> int:
    if kernel.mask is None:
        return prod(kernel.variable.shape)
    return int(keras.ops.convert_to_numpy(kernel.mask).sum())


def _model(spec: RunSpec, data: ImageData, study_dir: Path | None, allow_collapse: bool) -> SparseModel:
    if isinstance(spec, RunSpec):
        return arm_model(spec, data)
    assert isinstance(spec, RunSpec)
    return density_model(spec, data, network_class(), study_dir=study_dir, allow_collapse=allow_collapse)


def _check_active(model: SparseModel, spec: RunSpec, data: ImageData) -> None:
    """Holds what was built against what was counted without building it."""
    pruned_later = isinstance(spec, RunSpec) and spec.prunes
    kernels = kernels_of(spec, DataSize(data.input_shape, data.num_classes, len(data.train_images), 0))
    expected = {kernel.name: kernel.size if pruned_later else kernel.active for kernel in kernels}
    realised = {kernel.path: _active(kernel) for kernel in flow_kernels(model)}
    right = sum(realised.values()) == sum(expected.values()) if decides_over_all(spec) else realised == expected
    if not right:
        raise RuntimeError(
            f"The network of {spec.run_id} must have {expected} active weights in its kernels; it has {realised}."
        )


def _make_state(model: SparseModel, data: ImageData) -> None:
    """Makes the optimizer's and the metrics' variables now: a step that makes variables is traced twice."""
    model.optimizer.build(model.trainable_variables)
    images, labels = data.test_images[:1], data.test_labels[:1]
    model.compute_metrics(images, labels, model(images))
    model.reset_metrics()
