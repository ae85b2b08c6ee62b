"""How the network of a spec is trained: its optimizer, learning rates, loss and weight decay."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import keras

from keras_sparseflow.data import ImageData, steps_per_epoch
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.models.keras_network import activation_layer
from keras_sparseflow.studies.spec.name_tables import LOSSES, OPTIMIZERS, SCHEDULES
from keras_sparseflow.studies.spec.training_spec import TrainingSpec
from keras_sparseflow.training.losses import SmoothedCrossEntropy
from keras_sparseflow.training.population.elementwise import OptimizerFactory
from keras_sparseflow.training.schedules import Scheduled

SET_BY_FIELDS = {"learning_rate": "`learning_rate`", "weight_decay": "`l2` and `l2_form`, of variants with L2"}
"""Arguments of optimizers that other fields of a spec set, which would win in silence, and those fields."""


def optimizer_factory(spec: TrainingSpec) -> OptimizerFactory:
    """Returns what makes the spec's optimizer of `learning_rate=`; it has no weight decay yet.

    Args:
        spec: of one run.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> spec = RunSpec(dense_width=20, max_width=68, optimizer="rmsprop", optimizer_options=["rmsprop.rho=0.99"])
        >>> optimizer_factory(spec)(learning_rate=0.1).rho
        0.99
    """
    return functools.partial(OPTIMIZERS.get(spec.optimizer), **spec.optimizer_arguments)


def learning_rates(spec: TrainingSpec, rate: Any, data: ImageData) -> Any:
    """Returns what an optimizer takes as its learning rate.

    Args:
        spec: whose schedule and epochs it follows.
        rate: what the schedule scales: a number, or an array of one for each of several networks.
        data: gives the steps of an epoch.

    Example:
        >>> from keras_sparseflow import load_images
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> spec = RunSpec(dense_width=20, max_width=68, schedule="cosine", epochs=4, batch_size=64)
        >>> rates = learning_rates(spec, 0.1, load_images("digits", train_size=128))
        >>> [round(float(rates(step)), 4) for step in (0, 4, 8)]
        [0.1, 0.05, 0.0]
    """
    if spec.schedule == "constant" and isinstance(rate, float):
        return rate
    steps = spec.epochs * steps_per_epoch(data, spec.batch_size)
    return Scheduled(rate, SCHEDULES.get(spec.schedule), steps, spec.first_step)


def loss(spec: TrainingSpec) -> keras.losses.Loss:
    """Returns the spec's loss of labels and logits, which smooths those of training if the spec does.

    Args:
        spec: of one run.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> type(loss(RunSpec(dense_width=20, max_width=68, loss="squared_error"))).__name__
        'SquaredError'
    """
    return SmoothedCrossEntropy(**spec.smoothing) if spec.smoothing else plain_loss(spec)


def plain_loss(spec: TrainingSpec) -> keras.losses.Loss:
    """Returns the spec's loss of labels as they are, and logits.

    Args:
        spec: of one run.

    Example:
        >>> from keras_sparseflow.studies.spec.density_spec import DensitySpec
        >>> spec = DensitySpec(tweaks="LS")
        >>> type(plain_loss(spec)).__name__, type(loss(spec)).__name__
        ('SparseCategoricalCrossentropy', 'SmoothedCrossEntropy')
    """
    made: keras.losses.Loss = LOSSES.get(spec.loss)()
    return made


def l2_penalty(spec: TrainingSpec) -> float:
    """Returns lambda of the L2 term of the loss; 0 for none.

    Args:
        spec: of one run.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> widths = {"dense_width": 20, "max_width": 68}
        >>> [l2_penalty(RunSpec(**widths, variant=variant, l2=0.001)) for variant in ("NR", "L2")]
        [0.0, 0.001]
    """
    return spec.l2 if "L2" in spec.parts and not _decoupled(spec) else 0.0


def l2_decay(spec: TrainingSpec) -> float:
    """Returns lambda of the decoupled decay of the kernels; 0 for none.

    Args:
        spec: of one run.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> widths = {"dense_width": 20, "max_width": 68}
        >>> [l2_decay(RunSpec(**widths, variant="L2", optimizer=name, l2=0.001)) for name in ("sgd", "adamw")]
        [0.0, 0.001]
    """
    return spec.l2 if "L2" in spec.parts and _decoupled(spec) else 0.0


def check_arguments(specs: Iterable[TrainingSpec]) -> None:
    """Makes every optimizer and activation that specs name once, with their arguments.

    Args:
        specs: of any runs.

    Raises:
        ValueError: one does not take its arguments, or an optimizer is given what another field sets.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> check_arguments([RunSpec(dense_width=20, max_width=68, optimizer_options=["sgd.nesterov=true"])])
    """
    specs = list(specs)
    for spec in {(s.optimizer, s.optimizer_options): s for s in specs}.values():
        for argument, fields in SET_BY_FIELDS.items():
            if argument in spec.optimizer_arguments:
                raise ValueError(
                    f"`optimizer_options` must leave `{argument}` to {fields}; received {spec.optimizer_options}."
                )
        maker = functools.partial(optimizer_factory(spec), learning_rate=spec.learning_rate)
        _try(maker, "optimizer_options", spec.optimizer_options, OPTIMIZERS.get(spec.optimizer))
    for spec in {(s.activation, s.activation_options): s for s in specs}.values():
        maker = functools.partial(activation_layer, spec.activation, arguments=spec.activation_arguments)
        _try(maker, "activation_options", spec.activation_options, ACTIVATIONS.get(spec.activation))


def _decoupled(spec: TrainingSpec) -> bool:
    if spec.l2_form == "auto":
        return bool(getattr(OPTIMIZERS.get(spec.optimizer), "decouples_l2", False))
    return spec.l2_form == "decoupled"


def _try(make: Callable[[], Any], field: str, options: tuple[str, ...], item: Any) -> None:
    if not options:
        return
    try:
        make()
    except (TypeError, ValueError) as error:
        named = [p.name for p in inspect.signature(item).parameters.values() if p.kind is not p.VAR_KEYWORD]
        taken = ", ".join(named) if isinstance(item, type) else "none, or those of the Keras optimizer behind it"
        raise ValueError(f"`{field}` must be arguments that it takes ({taken}); received {options}: {error}") from error
