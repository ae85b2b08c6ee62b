"""The training recipe of a spec: optimizer, learning rates, loss and weight decay."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import keras

from keras_sparseflow.data import ImageData, steps_per_epoch
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.models.keras_network import activation_layer
from keras_sparseflow.studies.spec.name_tables import LOSSES, OPTIMIZERS, SCHEDULES
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training.losses import SmoothedCrossEntropy
from keras_sparseflow.training.population.elementwise import OptimizerFactory
from keras_sparseflow.training.schedules import Scheduled

SET_BY_FIELDS = {"learning_rate": "`learning_rate`", "weight_decay": "`l2` and `l2_form`, of variants with L2"}
"""Arguments of optimizers that other fields of a spec set, which would win in silence, and those fields."""


def optimizer_factory(spec: RunSpec) -> OptimizerFactory:
    """Returns a function of `learning_rate=` that makes the spec's optimizer, without weight decay.

    Args:
        spec: of one run.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> spec = RunSpec.of(width=68, optimizer="rmsprop", optimizer_options=["rmsprop.rho=0.99"])
        >>> optimizer_factory(spec)(learning_rate=0.1).rho
        0.99
    """
    return functools.partial(OPTIMIZERS.get(spec.training.optimizer), **spec.training.optimizer_arguments)


def learning_rates(spec: RunSpec, rate: Any, data: ImageData) -> Any:
    """Returns the learning rate of an optimizer: a number, or a schedule.

    Args:
        spec: spec with the schedule and the epochs.
        rate: rate that the schedule scales: a number, or an array of one for each of several networks.
        data: gives the steps of an epoch.

    Example:
        >>> from keras_sparseflow import load_images
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> spec = RunSpec.of(width=68, schedule="cosine", epochs=4, batch_size=64)
        >>> rates = learning_rates(spec, 0.1, load_images("digits", train_size=128))
        >>> [round(float(rates(step)), 4) for step in (0, 4, 8)]
        [0.1, 0.05, 0.0]
    """
    if spec.training.schedule == "constant" and isinstance(rate, float):
        return rate
    steps = spec.training.epochs * steps_per_epoch(data, spec.training.batch_size)
    return Scheduled(rate, SCHEDULES.get(spec.training.schedule), steps, spec.first_step)


def loss(spec: RunSpec) -> keras.losses.Loss:
    """Returns the spec's loss of labels and logits, which smooths those of training if the spec does.

    Args:
        spec: of one run.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> type(loss(RunSpec.of(width=68, loss="squared_error"))).__name__
        'SquaredError'
    """
    smoothing = spec.training.smoothing
    if smoothing is None:
        return plain_loss(spec)
    return SmoothedCrossEntropy(label_smoothing=smoothing.label_smoothing, over=smoothing.smoothing_over)


def plain_loss(spec: RunSpec) -> keras.losses.Loss:
    """Returns the spec's loss of labels as they are, and logits.

    Args:
        spec: of one run.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> spec = RunSpec.of(width=68, tweaks="LS")
        >>> type(plain_loss(spec)).__name__, type(loss(spec)).__name__
        ('SparseCategoricalCrossentropy', 'SmoothedCrossEntropy')
    """
    made: keras.losses.Loss = LOSSES.get(spec.training.loss)()
    return made


def l2_penalty(spec: RunSpec) -> float:
    """Returns lambda of the L2 term of the loss; 0 for none.

    Args:
        spec: of one run.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> [l2_penalty(RunSpec.of(width=68, variant=variant, l2=0.001)) for variant in ("NR", "L2")]
        [0.0, 0.001]
    """
    return 0.0 if spec.training.l2 is None or _decoupled(spec) else spec.training.l2


def l2_decay(spec: RunSpec) -> float:
    """Returns lambda of the decoupled decay of the kernels; 0 for none.

    Args:
        spec: of one run.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> [l2_decay(RunSpec.of(width=68, variant="L2", optimizer=name, l2=0.001)) for name in ("sgd", "adamw")]
        [0.0, 0.001]
    """
    return spec.training.l2 if spec.training.l2 is not None and _decoupled(spec) else 0.0


def check_arguments(specs: Iterable[RunSpec], size: object = None) -> None:
    """Makes every optimizer and activation that specs name once, with their arguments.

    Args:
        specs: of any runs.
        size: of their dataset, which does not matter.

    Raises:
        ValueError: one does not take its arguments, or an optimizer is given what another field sets.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> check_arguments([RunSpec.of(width=68, optimizer_options=["sgd.nesterov=true"])])
    """
    del size
    specs = list(specs)
    for spec in {(s.training.optimizer, s.training.optimizer_options): s for s in specs}.values():
        options = spec.training.optimizer_options
        for argument, fields in SET_BY_FIELDS.items():
            if argument in spec.training.optimizer_arguments:
                raise ValueError(f"`optimizer_options` must leave `{argument}` to {fields}; received {options}.")
        maker = functools.partial(optimizer_factory(spec), learning_rate=spec.training.learning_rate)
        _try(maker, "optimizer_options", spec.training.optimizer_options, OPTIMIZERS.get(spec.training.optimizer))
    for spec in {(s.model.activation, s.model.activation_options): s for s in specs}.values():
        maker = functools.partial(activation_layer, spec.model.activation, arguments=spec.model.activation_arguments)
        _try(maker, "activation_options", spec.model.activation_options, ACTIVATIONS.get(spec.model.activation))


def _decoupled(spec: RunSpec) -> bool:
    if spec.training.l2_form == "auto":
        return bool(getattr(OPTIMIZERS.get(spec.training.optimizer), "decouples_l2", False))
    return spec.training.l2_form == "decoupled"


def _try(make: Callable[[], Any], field: str, options: tuple[str, ...], item: Any) -> None:
    if not options:
        return
    try:
        make()
    except (TypeError, ValueError) as error:
        named = [p.name for p in inspect.signature(item).parameters.values() if p.kind is not p.VAR_KEYWORD]
        taken = ", ".join(named) if isinstance(item, type) else "none, or those of the Keras optimizer behind it"
        raise ValueError(f"`{field}` must be arguments that it takes ({taken}); received {options}: {error}") from error
