"""`TrainingSpec`: what decides the outcome of a training run besides its network."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from keras_sparseflow.data.images import augmentation_pad
from keras_sparseflow.flow.measure_table import READINGS
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.plugins import unknown_name
from keras_sparseflow.studies.spec.algorithms import algorithm_versions
from keras_sparseflow.studies.spec.arguments import arguments_of, canonical_arguments
from keras_sparseflow.studies.spec.fields import OURS, PAPER, check_value, named_things, spec_field
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.studies.spec.variants import parse_variant

DATA_FREE_SCORES = ("random", "magnitude", "synflow")
"""Scores that look at no image."""

SpecT = TypeVar("SpecT", bound="TrainingSpec")


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """Data, training, and what is measured; the specs of networks add what is trained.

    It is checked when it is made, before anything is loaded or trained. Two specs of one class with the
    same `run_id` give the same run. The metadata of each field holds its help text, from which the
    launchers' flags are made, and the source of its default, which the report shows.

    Raises:
        ValueError: a value is of the wrong type, out of its range, or an unknown name.
    """

    dataset: str = spec_field("digits", "dataset by name: digits, any of TensorFlow Datasets, or folder")
    image_size: int | None = spec_field(
        None, "side in pixels to which images are down-sampled; none keeps them", minimum=1
    )
    train_size: int | None = spec_field(None, "number of training images, class-balanced; none takes all", minimum=1)
    subset_seed: int = spec_field(0, "what the choice of `train_size` images depends on", minimum=0)

    variant: str = spec_field("NR", "NR, or any of DA, L2, SC, BN joined by _ such as L2_BN", PAPER)
    activation: str = spec_field("relu", "activation function of the hidden layers", PAPER)
    activation_options: tuple[str, ...] = spec_field(
        (), "arguments of activations that are layers, such as prelu.slope=0.1 or srelu.left_slope=0", OURS
    )

    optimizer: str = spec_field(
        "sgd",
        "optimizer by name, with Keras' own defaults; momentum is SGD with 0.9, adagrad's accumulators start at 0",
        PAPER,
    )
    optimizer_options: tuple[str, ...] = spec_field(
        (), "arguments of Keras' optimizers, such as rmsprop.rho=0.99 or adagrad.initial_accumulator_value=0.1", OURS
    )
    learning_rate: float = spec_field(0.001, "learning rate, the first where a schedule changes it", PAPER, above=0)
    schedule: str = spec_field(
        "constant",
        "learning rate over training: constant, cosine to 0, step (x 0.1 at 1/2 and 3/4), or wide_resnet "
        "(x 0.2 at 0.3, 0.6 and 0.8)",
        OURS,
    )
    loss: str = spec_field(
        "cross_entropy", "softmax cross-entropy, or squared_error of the logits, mean over images", OURS
    )
    batch_size: int = spec_field(128, "images a step; an epoch drops the rest, other images each time", OURS, minimum=1)
    epochs: int = spec_field(100, "passes over the training images", minimum=1)
    l2: float = spec_field(1e-4, "lambda of L2, on kernels only", PAPER, minimum=0)
    l2_form: str = spec_field(
        "auto",
        "what L2 is: a loss term with gradient lambda * w, or decoupled decay by learning rate * lambda * w; "
        "auto: decoupled under adamw, otherwise the loss term",
        OURS,
        choices=("auto", "loss", "decoupled"),
    )
    augment_pad: int | None = spec_field(
        None,
        "pixels of padding before the random crop of DA; none: an eighth of the images' side, at least 1",
        OURS,
        minimum=0,
    )
    augment_flip: str = spec_field(
        "random", "whether DA flips images left to right at random", OURS, choices=("random", "never")
    )
    precision: str = spec_field(
        "float32",
        "what layers compute in; weights, logits and losses are float32 in mixed precision too",
        OURS,
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    seed: int = spec_field(0, "what initial values, masks, batch order and augmentation depend on", minimum=0)

    score: str = spec_field(
        "random",
        "which weights are active at first: those that this score ranks highest before training, random for any",
        PAPER,
    )
    score_samples: int = spec_field(
        10,
        "training images of each class on which a score that looks at data is computed",
        "Wang et al. 2020",
        minimum=1,
    )

    flow_measures: tuple[str, ...] = spec_field(
        ("grad_norm_1", "grad_norm_2", "egf_1", "egf_2"), "measures of gradient flow by name", PAPER
    )
    flow_epochs: int = spec_field(
        11, "number of epochs, evenly spread, in which flow is measured; 0 for none", PAPER, minimum=0
    )
    flow_tensors: str = spec_field(
        "kernels", "which tensors count as layers: kernels, or every trainable weight", OURS, choices=("kernels", "all")
    )
    flow_cost: str = spec_field(
        "total", "whose gradient: the total cost with its L2 term, or the data's", OURS, choices=("total", "data")
    )
    flow_readings: tuple[str, ...] = spec_field(
        READINGS,
        "readings of a measured epoch: steps, the mean over its training steps, and end, the mean gradient over all "
        "training images, without augmentation, with the weights that the epoch leaves. Reports judge by the end, as "
        "the paper's text has it, where it is there",
        "the end: Tessera et al. 2021, section 3.1; the steps beside it: ours",
        choices=READINGS,
        fewest=1,
    )
    flow_mode: str = spec_field(
        "training",
        "mode of BatchNorm and dropout in the reading end: training, on batches of the training's size, or inference",
        OURS,
        choices=("training", "inference"),
    )

    _idle: ClassVar[frozenset[str]] = frozenset()
    """Fields that change nothing, given the others."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            object.__setattr__(self, item.name, check_value(item, getattr(self, item.name)))
        for name, table in (("activation", ACTIVATIONS), ("optimizer", OPTIMIZERS)):
            field = f"{name}_options"
            own = canonical_arguments(field, getattr(self, name), getattr(self, field), table)
            object.__setattr__(self, field, own)
        if self.score in DATA_FREE_SCORES:
            self._reset("score_samples")
        if "end" not in self.flow_readings:
            self._reset("flow_mode")

    @property
    def parts(self) -> frozenset[str]:
        """The parts of the variant."""
        return parse_variant(self.variant)

    @property
    def optimizer_arguments(self) -> dict[str, Any]:
        """What the optimizer is made with, besides the learning rate."""
        return arguments_of(self.optimizer, self.optimizer_options)

    @property
    def activation_arguments(self) -> dict[str, Any]:
        """What the activation's layers are made with."""
        return arguments_of(self.activation, self.activation_options)

    def batch_augment_pad(self, input_shape: Sequence[int]) -> int | None:
        """Returns the `pad` that training images are augmented with; None without data augmentation.

        Args:
            input_shape: of one image, `(height, width, channels)`.
        """
        if "DA" not in self.parts:
            return None
        return augmentation_pad(*input_shape[:2]) if self.augment_pad is None else self.augment_pad

    @property
    def smoothing(self) -> dict[str, Any]:
        """The arguments of the `SmoothedCrossEntropy` that is trained with; empty where labels are as they are."""
        return {}

    @property
    def rescales(self) -> bool:
        """Whether initial weights are rescaled by what the training images make of them."""
        return False

    @property
    def first_step(self) -> int:
        """The step of the whole training, from 0, that this run begins with."""
        return 0

    @property
    def sparse_from(self) -> int:
        """The first epoch, from 0, at whose end the network has the density that it is studied at."""
        return 0

    @property
    def name(self) -> str:
        """A short name for people; runs of one study may share it."""
        return " ".join(self._readable())

    @property
    def plugins(self) -> tuple[str, ...]:
        """The packages that things named here come from, each with its version, such as "my-masks 1.2".

        Of what was registered in this process it is module, name and a hash of its code; nothing stands here of what is
        built in.
        """
        identities = {table.plugin(name).identity for table, name in named_things(self)}
        return tuple(sorted(identities - {""}))

    @property
    def run_id(self) -> str:
        """Stable name of the run: a few readable fields and a hash of all that decides its outcome.

        These are the values of all fields that change something, whether or not they are defaults, the versions of the
        algorithms that it uses, and its plugins with theirs: another default, or another version, makes another run.
        """
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in self._idle}
        decisive = {**fields, "algorithms": algorithm_versions(self), "plugins": self.plugins}
        digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:10]
        return "-".join((*self._readable(), digest))

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields, ready for JSON."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Returns the defaults of the fields that have one."""
        return {f.name: f.default for f in dataclasses.fields(cls) if f.default is not dataclasses.MISSING}

    @classmethod
    def from_dict(cls: type[SpecT], values: dict[str, Any]) -> SpecT:
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

    def _reset(self, *names: str) -> None:
        """Gives fields that change nothing their defaults, and takes them out of the run's name."""
        defaults = self.defaults()
        for name in names:
            object.__setattr__(self, name, defaults[name])
        object.__setattr__(self, "_idle", self._idle.union(names))

    def _readable(self) -> tuple[str, ...]:
        """Returns the fields that a run's id begins with."""
        return (self.optimizer, self.variant, f"s{self.seed}")
