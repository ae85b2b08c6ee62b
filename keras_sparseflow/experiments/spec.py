"""`RunSpec`: everything that decides the outcome of one training run."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from keras_sparseflow.experiments.arguments import arguments_of, canonical_arguments
from keras_sparseflow.experiments.named import LOSSES, OPTIMIZERS, SCHEDULES
from keras_sparseflow.experiments.variants import canonical_variant, parse_variant
from keras_sparseflow.flow.named import MEASURES
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.plugins import unknown_name

PAPER = "Tessera et al. 2021"
OURS = "left open by the paper; our default"


def _field(default: Any, help: str, source: str = "", **limits: Any) -> Any:
    """A field with its help text, where its default comes from, and what values it takes."""
    metadata = {"help": help, "source": source, **limits}
    return field(metadata=metadata) if default is dataclasses.MISSING else field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """Everything about one training run: data, network, training, and what is measured.

    It is checked when it is made, before anything is loaded or trained. Two specs with the same
    `run_id` give the same run. The metadata of each field holds its help text, from which the
    launchers' flags are made, and the source of its default, which the report shows.

    Raises:
        ValueError: a value is of the wrong type, out of its range, or an unknown name.

    Example:
        >>> RunSpec(dense_width=20, max_width=68, arm="sparse", variant="BN").run_id
        'sgd-BN-h4-w20-sparse-s0-2c5dee642f'
    """

    dataset: str = _field("digits", "dataset by name: digits, any of TensorFlow Datasets, or folder")
    image_size: int | None = _field(None, "side in pixels to which images are down-sampled; none keeps them", minimum=1)
    train_size: int | None = _field(None, "number of training images, class-balanced; none takes all", minimum=1)
    subset_seed: int = _field(0, "what the choice of `train_size` images depends on", minimum=0)

    dense_width: int = _field(dataclasses.MISSING, "width of the dense arm's hidden layers", PAPER, minimum=1)
    max_width: int = _field(dataclasses.MISSING, "width of the sparse arm's hidden layers", PAPER, minimum=1)
    hidden_layers: int = _field(4, "number of hidden layers", PAPER, minimum=1)
    arm: str = _field("sparse", "which of the matched pair", choices=("sparse", "dense"))
    variant: str = _field("NR", "NR, or any of DA, L2, SC, BN joined by _ such as L2_BN", PAPER)
    activation: str = _field("relu", "activation function of the hidden layers", PAPER)
    activation_options: tuple[str, ...] = _field(
        (), "arguments of activations that are layers, such as prelu.slope=0.1 or srelu.left_slope=0", OURS
    )
    norm_place: str = _field(
        "before", "where BN stands: before the activation or after it", OURS, choices=("before", "after")
    )
    skip_span: int = _field(2, "hidden layers that a connection of SC spans, from the first on", OURS, minimum=1)
    skip_place: str = _field(
        "before",
        "where SC is added: before the activation of the later layer or after it",
        OURS,
        choices=("before", "after"),
    )
    init_fan_in: str = _field(
        "dense",
        "whose fan-in sets the He normal initialisation of both arms: the dense arm's, the sparse arm's, "
        "or the active weights into a unit of the sparse arm",
        OURS,
        choices=("dense", "sparse", "active"),
    )

    optimizer: str = _field("sgd", "optimizer by name, with Keras' own defaults; momentum is SGD with 0.9", PAPER)
    optimizer_options: tuple[str, ...] = _field(
        (), "arguments of Keras' optimizers, such as rmsprop.rho=0.99 or adagrad.initial_accumulator_value=0", OURS
    )
    learning_rate: float = _field(0.001, "learning rate, the first where a schedule changes it", PAPER, above=0)
    schedule: str = _field(
        "constant", "learning rate over training: constant, cosine to 0, or step (x 0.1 at 1/2 and 3/4)", OURS
    )
    loss: str = _field("cross_entropy", "softmax cross-entropy, or squared_error of the logits, mean over images", OURS)
    batch_size: int = _field(128, "images a step; an epoch drops the rest, other images each time", OURS, minimum=1)
    epochs: int = _field(100, "passes over the training images", minimum=1)
    l2: float = _field(1e-4, "lambda of L2, on kernels only", PAPER, minimum=0)
    l2_form: str = _field(
        "auto",
        "what L2 is: a loss term with gradient lambda * w, or decoupled decay by learning rate * lambda * w; "
        "auto: decoupled under adamw, otherwise the loss term",
        OURS,
        choices=("auto", "loss", "decoupled"),
    )
    augment_pad: int = _field(4, "pixels of padding before the random crop of DA", OURS, minimum=0)
    augment_flip: str = _field(
        "random", "whether DA flips images left to right at random", OURS, choices=("random", "never")
    )
    seed: int = _field(0, "what initial values, masks, batch order and augmentation depend on", minimum=0)

    flow_measures: tuple[str, ...] = _field(
        ("grad_norm_1", "grad_norm_2", "egf_1", "egf_2"), "measures of gradient flow by name", PAPER
    )
    flow_epochs: int = _field(
        11, "number of epochs, evenly spread, in which flow is measured; 0 for none", PAPER, minimum=0
    )
    flow_tensors: str = _field(
        "kernels", "which tensors count as layers: kernels, or every trainable weight", OURS, choices=("kernels", "all")
    )
    flow_cost: str = _field(
        "total", "whose gradient: the total cost with its L2 term, or the data's", OURS, choices=("total", "data")
    )
    flow_data: str = _field(
        "batches",
        "on what: the epoch's own training batches (mean over steps), or after it a probe of the whole training "
        "set with the weights at rest and BatchNorm in inference or in training mode",
        OURS,
        choices=("batches", "probe", "probe_training"),
    )

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            object.__setattr__(self, item.name, check_value(item, getattr(self, item.name)))
        for name, table in (("activation", ACTIVATIONS), ("optimizer", OPTIMIZERS)):
            field = f"{name}_options"
            own = canonical_arguments(field, getattr(self, name), getattr(self, field), table)
            object.__setattr__(self, field, own)
        if "SC" in self.parts and self.hidden_layers <= self.skip_span:
            raise ValueError(
                f"Variant {self.variant!r} has skip connections (SC), which span {self.skip_span} hidden layers from "
                f"the first on: expected at least {self.skip_span + 1} hidden layers, or a smaller `skip_span`; "
                f"received {self.hidden_layers}."
            )

    @property
    def parts(self) -> frozenset[str]:
        """The parts of the variant."""
        return parse_variant(self.variant)

    @property
    def width(self) -> int:
        """Units of each of this arm's hidden layers."""
        return self.max_width if self.arm == "sparse" else self.dense_width

    @property
    def optimizer_arguments(self) -> dict[str, Any]:
        """What the optimizer is made with, besides the learning rate."""
        return arguments_of(self.optimizer, self.optimizer_options)

    @property
    def activation_arguments(self) -> dict[str, Any]:
        """What the activation's layers are made with."""
        return arguments_of(self.activation, self.activation_options)

    @property
    def batch_augment_pad(self) -> int | None:
        """The `pad` that training images are augmented with; None without data augmentation."""
        return self.augment_pad if "DA" in self.parts else None

    @property
    def run_id(self) -> str:
        """Stable name of the run: a few readable fields and a hash of all that differ from their default."""
        changed = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if getattr(self, f.name) != f.default
        }
        digest = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:10]
        readable = (
            self.optimizer,
            self.variant,
            f"h{self.hidden_layers}",
            f"w{self.dense_width}",
            self.arm,
            f"s{self.seed}",
        )
        return "-".join((*readable, digest))

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields, ready for JSON."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RunSpec":
        """Returns the spec of a dict as `to_dict` gives it.

        Raises:
            ValueError: an unknown field.
        """
        known = [f.name for f in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise unknown_name("field of a spec", name, known)
        fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**fields)


def check_value(item: dataclasses.Field, value: Any) -> Any:
    """Returns the value of a `RunSpec` field in its one spelling.

    Raises:
        ValueError: argument, what was expected, and what came.
    """
    if item.name == "variant":
        return canonical_variant(str(value))
    if item.name in _TABLES:
        return _check_names(item, value)
    limits = item.metadata
    if "choices" in limits:
        if value not in limits["choices"]:
            raise unknown_name(f"`{item.name}`", value, list(limits["choices"]))
        return value
    if value is None and "None" in str(item.type):
        return value
    if "minimum" in limits or "above" in limits:
        return _check_number(item, value)
    if item.name not in OPTION_FIELDS and (not isinstance(value, str) or not value):
        raise ValueError(f"`{item.name}` must be a name; received {value!r}.")
    return value  # options are checked with the name that they are of


def valid_names(item: dataclasses.Field) -> list[str]:
    """Returns the names that a `RunSpec` field takes, or an empty list where it takes other values."""
    if item.name in _TABLES:
        return _TABLES[item.name].names()
    return list(item.metadata.get("choices", ()))


def _check_names(item: dataclasses.Field, value: Any) -> Any:
    """Returns a name, or a tuple of at least one, all of which the field's table holds."""
    several = item.name == "flow_measures"
    names = value if several else (value,)
    if isinstance(names, str) or not names:
        raise ValueError(f"`{item.name}` must list at least one name; received {value!r}.")
    table = _TABLES[item.name]
    for name in names:
        if name not in table:
            raise unknown_name(table.kind, name, table.names())
    return tuple(names) if several else value


def _check_number(item: dataclasses.Field, value: Any) -> Any:
    whole = "int" in str(item.type)
    low, strict = (item.metadata["above"], True) if "above" in item.metadata else (item.metadata["minimum"], False)
    fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not fits or not (value > low if strict else value >= low) or value == float("inf"):
        kind = "a whole number" if whole else "a number"
        raise ValueError(
            f"`{item.name}` must be {kind} {'above' if strict else 'of at least'} {low}; received {value!r}."
        )
    return value if whole else float(value)


OPTION_FIELDS = ("activation_options", "optimizer_options")
"""Fields that hold arguments of what another field names."""

_TABLES = {
    "optimizer": OPTIMIZERS,
    "activation": ACTIVATIONS,
    "schedule": SCHEDULES,
    "loss": LOSSES,
    "flow_measures": MEASURES,
}
"""Fields whose values are names in a table."""
