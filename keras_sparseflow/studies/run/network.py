"""The network of a spec, with the weights and masks that it begins with: compiled, or as populations stack it."""

from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_sparseflow.data import DataSize, ImageData
from keras_sparseflow.data.memory import SMALLER, room_for
from keras_sparseflow.flow.tensors import flow_kernels
from keras_sparseflow.layers.structure import Kernel, kernels_of
from keras_sparseflow.masks import CollapseError
from keras_sparseflow.models import mlp
from keras_sparseflow.models.initial_values import kernel_initializer, kernel_mask
from keras_sparseflow.studies.run.masking import set_scored_masks
from keras_sparseflow.studies.run.recipe import l2_decay, l2_penalty, learning_rates, loss, optimizer_factory
from keras_sparseflow.studies.run.tickets import begin_round
from keras_sparseflow.studies.run.tweaking import Say, rescaled, with_ghosts
from keras_sparseflow.studies.run.varying import prepare_by_parts
from keras_sparseflow.studies.size.kernel_counts import counted_kernels, dense_ends, matched_kernels
from keras_sparseflow.studies.spec.model_spec import DETAILS
from keras_sparseflow.studies.spec.name_tables import MODELS
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.distributed.multiworker import network_class
from keras_sparseflow.training.optimizers import decay_kernels
from keras_sparseflow.training.precision import precision_policy
from keras_sparseflow.twins.sparse_twins import to_sparse


def build_network(
    spec: RunSpec,
    data: ImageData,
    *,
    jit: bool | None = None,
    study_dir: Path | None = None,
    allow_collapse: bool = False,
    max_density: float | None = None,
    initialise: bool = True,
    say: Say = lambda _: None,
) -> SparseModel:
    """Returns the spec's network, initialised and compiled.

    Args:
        spec: spec of the network to build.
        data: dataset whose image shape and classes it fits.
        jit: whether XLA compiles its steps; None for Keras' choice.
        study_dir: the folder with the earlier rounds of a lottery ticket; other networks need none.
        allow_collapse: whether masks may leave a kernel without any active weight.
        max_density: layers up to this density store and compute active weights alone; None for masked layers.
        initialise: whether its weights matter: those of a network that is going to be restored need not be rescaled.
        say: shows what happens, where that takes long.

    Raises:
        ValueError: see `initial_network`.
        RuntimeError: it does not have the active weights that the spec calls for; or see `prepare_by_parts`.
    """
    model = initial_network(spec, data, network_class(), study_dir=study_dir, allow_collapse=allow_collapse)
    if initialise:
        rescaled(model, spec, data, say)
    model = with_ghosts(model, spec)
    prepare_by_parts(model, spec)
    _check_active(model, spec, data)
    if max_density is not None:
        to_sparse(model, max_density, inplace=True)
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


def initial_network(
    spec: RunSpec,
    data: ImageData,
    model_class: type[SparseModel],
    *,
    study_dir: Path | None = None,
    allow_collapse: bool = False,
) -> SparseModel:
    """Returns the spec's network with the weights and the masks that it begins with, before ToST's tweaks.

    Args:
        spec: spec of the network to build.
        data: dataset whose image shape and classes it fits, and on which scores are computed.
        model_class: the class to make.
        study_dir: folder with the earlier rounds of a lottery ticket; other networks need none.
        allow_collapse: whether a kernel may be left without any active weight.

    Raises:
        ValueError: a kernel is left without any active weight, and that is not allowed; or see `begin_round`.
    """
    sparsity, size = spec.sparsity, size_of(data)
    model: SparseModel = MODELS.get(spec.model.architecture).build(
        data.input_shape,
        data.num_classes,
        **spec.model.size,
        density=initial_densities(spec, size),
        dense_ends=sparsity.ends == "dense",
        dense_classifier=sparsity.ends == "dense_classifier",
        fan_ins=initial_fan_ins(spec, size) or {},
        dropout=spec.model.dropout,
        l2=l2_penalty(spec),
        seed=spec.seed,
        model_class=model_class,
        details=spec.model.details,
        **between_kernels(spec),
    )
    if sparsity.tickets is not None:
        assert study_dir is not None
        begin_round(model, spec, study_dir, allow_collapse=allow_collapse)
    elif sparsity.score is not None and not draws_masks(spec):
        matched = [] if sparsity.matched_fraction is None else counted_kernels(spec, size)
        try:
            set_scored_masks(
                model,
                spec,
                data,
                sparsity.density,
                {kernel.name: kernel.active for kernel in matched} or sparsity.distribution or "uniform",
                allow_collapse=allow_collapse,
            )
        except CollapseError as error:
            remedy = "As flags of a study: --density, --distribution=erk or --allow_collapse."
            raise CollapseError(f"Masks of {spec.run_id}: {error} {remedy}") from error
    return model


def draws_masks(spec: RunSpec) -> bool:
    """Returns whether each masked layer draws its own mask: a random one of a known count."""
    return spec.sparsity.score == "random" and not spec.decides_over_all


def initial_densities(spec: RunSpec, size: DataSize) -> dict[str, float] | float | None:
    """Returns the densities that a network is built with, by kernel or of all; None for stock layers without masks."""
    if spec.sparsity.is_dense and spec.sparsity.tickets is None:
        return None
    if not draws_masks(spec):  # a score, a round before or the training decides
        return 1.0
    ends = dense_ends(spec, size)
    return {
        kernel.name: kernel.active / kernel.size for kernel in counted_kernels(spec, size) if kernel.name not in ends
    }


def initial_fan_ins(spec: RunSpec, size: DataSize) -> dict[str, float] | None:
    """Returns the fan-in that each kernel's initial values are drawn for; None for its own."""
    choice = spec.model.init_fan_in
    if choice is None:
        return None
    fan_ins = {}
    for dense, sparse in matched_kernels(spec, size):
        active = dense.size / sparse.shape[-1]
        fan_ins[dense.name] = {"dense": dense.fan_in, "sparse": sparse.fan_in, "active": active}[choice]
    return fan_ins


def between_kernels(spec: RunSpec) -> dict[str, Any]:
    """Returns the options of an architecture for what stands between its kernels."""
    model, parts = spec.model, spec.training.parts
    return {
        "activation": model.activation,
        "activation_arguments": model.activation_arguments,
        "batch_norm": "BN" in parts,
        "skip_connections": "SC" in parts,
    }


def check_collapse(specs: Iterable[RunSpec], data: ImageData, say: Say = lambda _: None) -> None:
    """Refuses scores that a network cannot have, or that leave a kernel without any weight, before any training.

    Tried is the lowest density of each score and network, with its first seed.

    Args:
        specs: of runs with scores that may be refused.
        data: dataset on which they train.
        say: shows which network is tried; large ones take long.

    Raises:
        CollapseError: a kernel is left without any active weight.
        ValueError: the network cannot have the score.
    """
    lowest: dict[tuple[object, ...], RunSpec] = {}
    for spec in specs:
        alike = tuple(spec.values[name] for name in _DECIDE_MASKS)
        lowest[alike] = min(lowest.get(alike, spec), spec, key=_share)
    for spec in lowest.values():
        say(f"Looking whether {spec.name} leaves a kernel without any weight.")
        with room_for(f"the masks of the network {spec.run_id}", SMALLER), precision_policy(spec.training.precision):
            initial_network(spec, data, SparseModel)


def _share(spec: RunSpec) -> float:
    """Returns how sparse a network is, to be compared with others of its kind."""
    share = spec.sparsity.matched_fraction or spec.sparsity.density
    assert share is not None
    return share


_DECIDE_MASKS = (
    *("score", "score_samples", "distribution", "ends", "precision", "model", "hidden_layers", "depth", "width"),
    *("width_fraction", *DETAILS, "variant", "activation", "activation_options", "loss"),
)
"""Fields that masks depend on, besides density and seed."""


def active_weights(model: keras.Model) -> list[int]:
    """Returns how many weights of each kernel are active, counted in the masks themselves."""
    return [_active(kernel) for kernel in flow_kernels(model)]


def size_of(data: ImageData) -> DataSize:
    """Returns how large a dataset is that has been loaded."""
    counts = len(data.train_images), len(data.test_images), data.validation_count
    return DataSize(data.input_shape, data.num_classes, *counts)


def _active(kernel: Kernel) -> int:
    if kernel.mask is None:
        return prod(kernel.variable.shape)
    return int(keras.ops.convert_to_numpy(kernel.mask).sum())


def _check_active(model: SparseModel, spec: RunSpec, data: ImageData) -> None:
    """Compares the active weights of a built network with those that were counted without building it."""
    kernels = counted_kernels(spec, size_of(data))
    expected = {kernel.name: kernel.active if spec.sparsity.pruning is None else kernel.size for kernel in kernels}
    realised = {kernel.path: _active(kernel) for kernel in flow_kernels(model)}
    right = sum(realised.values()) == sum(expected.values()) if spec.decides_over_all else realised == expected
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


Arrays = dict[str, np.ndarray]


def build_template(spec: RunSpec, data: ImageData, width: int) -> keras.Model:
    """Returns the graph that networks of a population share: the spec's, `width` wide, without masks or penalties."""
    widths = [width] * (spec.model.hidden_layers or 0)
    return mlp(data.input_shape, data.num_classes, widths, **between_kernels(spec), **spec.model.details)


def initial_kernels(
    spec: RunSpec, data: ImageData, *, allow_collapse: bool = False, initialise: bool = True, say: Say = lambda _: None
) -> tuple[Arrays, Arrays]:
    """Returns the initial values of a spec's network, by path, where they are not those of any, and its masks.

    They are those of `build_network`, whose arguments these are. Where each layer draws them for itself, they are drawn
    without building it.
    """
    rescales = initialise and spec.training.rescaling is not None
    if rescales or not (spec.sparsity.is_dense or draws_masks(spec)):
        model = initial_network(spec, data, SparseModel, allow_collapse=allow_collapse)
        if rescales:
            rescaled(model, spec, data, say)
        return _values_and_masks(model)
    size = size_of(data)
    fan_ins, ends = initial_fan_ins(spec, size), dense_ends(spec, size)
    kernels, masks = {}, {}
    for index, kernel in enumerate(counted_kernels(spec, size)):
        path, inputs = f"{kernel.name}/kernel", kernel.shape[0]
        initializer = kernel_initializer(spec.seed, index, inputs, inputs if fan_ins is None else fan_ins[kernel.name])
        kernels[path] = keras.ops.convert_to_numpy(initializer(kernel.shape, dtype="float32"))
        if not spec.sparsity.is_dense and kernel.name not in ends:
            masks[path] = kernel_mask(spec.seed, index, kernel.shape, kernel.active)
            kernels[path] = np.where(masks[path], kernels[path], np.float32(0))
    return kernels, masks


def variable_shapes(
    template: keras.Model, template_width: int, kernels: Arrays, width: int
) -> dict[str, tuple[int, ...]]:
    """Returns the shapes that the template's variables have in a network of its own width.

    Args:
        template: from `build_template`.
        template_width: units of its hidden layers.
        kernels: the network's, by path.
        width: units of the network's hidden layers; other variables than kernels have as many entries, if they
            have as many as there are units.
    """

    def shape(variable: keras.Variable) -> tuple[int, ...]:
        if variable.path in kernels:
            return kernels[variable.path].shape
        return tuple(width if size == template_width else size for size in variable.shape)

    return {variable.path: shape(variable) for variable in template.variables}


def _values_and_masks(model: SparseModel) -> tuple[Arrays, Arrays]:
    """Returns the values of all weights, those of BatchNorm too, and the masks of kernels."""
    masks = {kernel.variable.path: kernel.mask for kernel in kernels_of(model) if kernel.mask is not None}
    values = {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables}
    return values, {path: keras.ops.convert_to_numpy(mask) for path, mask in masks.items()}
