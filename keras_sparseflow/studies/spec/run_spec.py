"""`RunSpec`: everything that decides the outcome of one training run."""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from keras_sparseflow.checks import LARGEST_SEED, refuse_sparsity
from keras_sparseflow.data.images import augmentation_pad
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.masks.score_table import DISTRIBUTIONS
from keras_sparseflow.plugins import unknown_name
from keras_sparseflow.studies.spec.algorithms import algorithm_versions
from keras_sparseflow.studies.spec.arguments import canonical_arguments
from keras_sparseflow.studies.spec.data_spec import DataSpec
from keras_sparseflow.studies.spec.fields import (
    Leaf,
    assemble,
    check_value,
    leaves_of,
    named_things,
    part,
    spec_field,
)
from keras_sparseflow.studies.spec.measurement_spec import MeasurementSpec
from keras_sparseflow.studies.spec.model_spec import ModelSpec
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.studies.spec.sparsity_spec import SparsitySpec
from keras_sparseflow.studies.spec.training_spec import TrainingSpec

__all__ = ["DataSpec", "MeasurementSpec", "ModelSpec", "RunSpec", "SparsitySpec", "TrainingSpec"]

DEFAULT_WIDTH = 10
"""The width of networks for images; the one of a multilayer perceptron follows from the size of the images."""


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """A network, its data, how it is sparse, how it is trained, and what is measured.

    A spec checks its values when it is made, before anything is loaded or trained. A field that means nothing beside
    the others is None: a dense network has no score, and a training without tweaks has no ghosts. Two specs with the
    same `run_id` give the same run. `RunSpec.of` makes a spec from single fields by name, as flags and grids do.

    Args:
        data: the images, and how they are augmented.
        model: the network.
        sparsity: method, score and density of its masks.
        training: optimizer, loss, epochs and tweaks.
        measurement: measured gradient flow and diagnostics.
        seed: seed of initial values, masks, batch order and augmentation.

    Raises:
        ValueError: a value is of the wrong type, out of its range, or an unknown name.

    Example:
        >>> spec = RunSpec(model=ModelSpec(width=68), sparsity=SparsitySpec(density=0.05))
        >>> spec.run_id
        'sgd-NR-mlp_4_68-random-d0.05-s0-1e7570d8bb'
        >>> spec == RunSpec.of(width=68, density=0.05), spec.training.l2
        (True, None)
    """

    data: DataSpec = part(DataSpec)
    model: ModelSpec = part(ModelSpec)
    sparsity: SparsitySpec = part(SparsitySpec)
    training: TrainingSpec = part(TrainingSpec)
    measurement: MeasurementSpec = part(MeasurementSpec)
    seed: int = spec_field(
        0, "seed of initial values, masks, batch order and augmentation", minimum=0, maximum=LARGEST_SEED
    )

    def __post_init__(self) -> None:
        self._fill({leaf.name: leaf.of(self) for leaf in LEAVES.values()})

    @classmethod
    def of(cls, **values: Any) -> "RunSpec":
        """Returns the spec with these values, by the names of single fields, and defaults for the others.

        Raises:
            ValueError: an unknown name, or a value that its field does not take.
            TypeError: `sparsity` is given, in place of `density`.

        Example:
            >>> RunSpec.of(width=68, matched_fraction=0.3, variant="BN", epochs=5).training.epochs
            5
        """
        refuse_sparsity(values)
        for name, value in values.items():
            if name not in LEAVES:
                raise unknown_name("field of a spec", name, list(LEAVES))
            values[name] = check_value(LEAVES[name].item, value)
        spec = object.__new__(cls)
        spec._fill({name: values.get(name, leaf.default) for name, leaf in LEAVES.items()})
        return spec

    def but(self, **values: Any) -> "RunSpec":
        """Returns the spec with other values of single fields.

        Example:
            >>> RunSpec.of(width=68, density=0.1).but(density=1.0).sparsity.is_dense
            True
        """
        return RunSpec.of(**{**self.given, **values})

    @cached_property
    def values(self) -> dict[str, Any]:
        """The value of each field by its name; None for one that does not apply."""
        return {name: leaf.of(self) for name, leaf in LEAVES.items()}

    @property
    def given(self) -> dict[str, Any]:
        """The value of each field that applies."""
        return {name: value for name, value in self.values.items() if value is not None}

    def batch_augment_pad(self, input_shape: Sequence[int]) -> int | None:
        """Returns the `pad` that training images are augmented with; None without data augmentation.

        Args:
            input_shape: of one image, `(height, width, channels)`.
        """
        if "DA" not in self.training.parts:
            return None
        return augmentation_pad(*input_shape[:2]) if self.data.augment_pad is None else self.data.augment_pad

    @property
    def decides_over_all(self) -> bool:
        """True if the score decides how many weights of each kernel are active."""
        distribution = self.sparsity.distribution
        return distribution is not None and isinstance(DISTRIBUTIONS.get(distribution)([(1,)], 1.0), int)

    @property
    def first_step(self) -> int:
        """The step of the whole training, from 0, that this run begins with."""
        tickets = self.sparsity.tickets
        return tickets.rewind_step if tickets is not None and tickets.earlier_densities else 0

    @property
    def sparse_from(self) -> int:
        """The first epoch, from 0, at whose end the network has the density that it is studied at."""
        pruning, epochs = self.sparsity.pruning, self.training.epochs
        return 0 if pruning is None else min(epochs - 1, int(pruning.prune_until * epochs + 1e-9))

    @property
    def round_before(self) -> "RunSpec | None":
        """The round of a lottery ticket whose weights this one prunes; None for the dense one, and other methods.

        Tickets are found without tweaks: these are of the training of this round alone.
        """
        tickets = self.sparsity.tickets
        if tickets is None or not tickets.earlier_densities:
            return None
        *earlier, before = tickets.earlier_densities
        return self.but(density=before, earlier_densities=tuple(earlier), tweaks="none")

    @property
    def first_round(self) -> "RunSpec":
        """The dense network that the rounds of a lottery ticket begin with."""
        return self.but(density=1.0, earlier_densities=(), tweaks="none")

    @property
    def name(self) -> str:
        """A short name for people; runs of one study may share it."""
        return f"{' '.join(self._words())} seed {self.seed}"

    @property
    def plugins(self) -> tuple[str, ...]:
        """The packages that things named here come from, each with its version, such as "my-masks 1.2".

        Of what was registered in this process it is module, name and a hash of its code; nothing stands here of what is
        built in.
        """
        identities = {table.plugin(name).identity for table, name in named_things(self.values)}
        return tuple(sorted(identities - {""}))

    @cached_property
    def run_id(self) -> str:
        """Stable name of the run: a few readable fields and a hash of all that decides its outcome.

        These are the values of all fields that apply, whether or not they are defaults, the versions of the algorithms
        that it uses, and its plugins with theirs: another default, or another version, makes another run.
        """
        decisive = {**self.given, "algorithms": algorithm_versions(self.values), "plugins": self.plugins}
        digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:10]
        return "-".join((*self._words(), f"s{self.seed}", digest))

    def to_dict(self) -> dict[str, Any]:
        """Returns the parts and their fields that apply, ready for JSON."""
        parts: dict[str, Any] = {}
        for name, value in self.given.items():
            first, *inner = LEAVES[name].path
            place = parts.setdefault(first, {}) if inner else parts
            place[name] = list(value) if isinstance(value, tuple) else value
        return parts

    @classmethod
    def from_dict(cls, parts: Mapping[str, Any]) -> "RunSpec":
        """Returns the spec of a dict as `to_dict` gives it.

        Raises:
            ValueError: an unknown field.
        """
        values: dict[str, Any] = {}
        for name, held in parts.items():
            values |= held if isinstance(held, dict) else {name: held}
        return cls.of(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})

    def _fill(self, given: Mapping[str, Any]) -> None:
        """Sets parts and seed from values of all fields, and checks them together."""
        values = _resolved(given)
        for item in dataclasses.fields(self):
            made = assemble(item.metadata["part"], values) if "part" in item.metadata else values[item.name]
            object.__setattr__(self, item.name, made)
        self._check()

    def _words(self) -> tuple[str, ...]:
        """Returns the fields that a run is known by, in a few letters each."""
        training, model = self.training, self.model
        tweaks = () if training.tweaks == "none" else (training.tweaks,)
        size = model.hidden_layers if model.hidden_layers is not None else model.depth
        fraction = "" if model.width_fraction == 1 else f"x{model.width_fraction:g}"
        network = f"{model.architecture}_{size}_{model.width}{fraction}"
        return (training.optimizer, training.variant, *tweaks, network, *self._masks())

    def _masks(self) -> tuple[str, ...]:
        """Returns how the network is sparse, in a few words."""
        sparsity = self.sparsity
        if sparsity.is_dense and sparsity.tickets is None:
            return ("dense",)
        method = () if sparsity.method == "static" else (str(sparsity.method),)
        plain = sparsity.score is None or (method and sparsity.score == "random")
        score = () if plain else ("magnitude_masks" if sparsity.score == "magnitude" else str(sparsity.score),)
        shared_out = () if sparsity.distribution in (None, "uniform") else (str(sparsity.distribution),)
        if sparsity.matched_fraction is not None:
            width = self.model.width or 0
            perceptron = self.model.hidden_layers is not None
            return (*method, *score, f"m{sparsity.matched_fraction * (width if perceptron else 1):.6g}")
        return (*method, *score, *shared_out, f"d{sparsity.density:g}")

    def _check(self) -> None:
        """Refuses values that do not go together."""
        self._check_network()
        self._check_sparsity()
        self._check_tweaks()
        self._check_diagnostics()

    def _check_network(self) -> None:
        layers, span = self.model.hidden_layers, self.model.skip_span
        if span is not None and layers is not None and layers <= span:
            raise ValueError(
                f"Variant {self.training.variant!r} has skip connections (SC), which span {span} hidden layers from "
                f"the first on: expected at least {span + 1} hidden layers, or a smaller `skip_span`; received "
                f"{layers}."
            )

    def _check_sparsity(self) -> None:
        sparsity, model = self.sparsity, self.model
        if sparsity.matched_fraction is not None:
            if sparsity.method in ("magnitude", "lottery"):
                raise ValueError(
                    "`method` must be static, rigl or set for a network of matched capacity, whose active weights are "
                    f"counted from the start; received {sparsity.method!r}."
                )
            if model.width_fraction != 1:
                raise ValueError(
                    "`width_fraction` must be 1 for a network of matched capacity, which is the wide one of its pair; "
                    f"received {model.width_fraction:g}."
                )
        pruning = sparsity.pruning
        if pruning is not None and pruning.prune_until < pruning.prune_from:
            raise ValueError(
                f"`prune_until` must be at least `prune_from`, {pruning.prune_from}; received {pruning.prune_until}."
            )
        if sparsity.tickets is not None:
            earlier = sparsity.tickets.earlier_densities
            rounds = (*earlier, float(sparsity.density or 0))
            if rounds[0] != 1 or any(later >= before for before, later in itertools.pairwise(rounds)):
                raise ValueError(
                    "`earlier_densities` must begin with 1, the dense network, and fall, all above the density "
                    f"{sparsity.density:g}; received {earlier}."
                )

    def _check_tweaks(self) -> None:
        training = self.training
        if training.smoothing is not None and training.loss != "cross_entropy":
            raise ValueError(f"Tweak LS smooths the labels of `loss` cross_entropy; received {training.loss!r}.")
        if "GSw" in training.tweak_names and self.model.activation != "relu":
            raise ValueError(f"Tweak GSw takes the place of `activation` relu; received {self.model.activation!r}.")

    def _check_diagnostics(self) -> None:
        chosen, steps = set(self.measurement.diagnostics), self.measurement.landscape_steps
        if steps is not None and steps % 2 == 0:
            raise ValueError(
                f"`landscape_steps` must be odd, so that the network itself is among the points; received {steps}."
            )
        if "activation_sparsity" in chosen and self.model.activation == "linear":
            raise ValueError(
                "`diagnostics` activation_sparsity is of activations, and the network must have some; received "
                "`activation` linear."
            )
        if self.training.precision == "mixed_float16" and chosen - {"activation_sparsity"}:
            raise ValueError(
                "`diagnostics` of the loss's curvature and landscape must be taken in `precision` float32 or "
                f"mixed_bfloat16; received mixed_float16 with {', '.join(self.measurement.diagnostics)}."
            )


LEAVES: dict[str, Leaf] = {leaf.name: leaf for leaf in leaves_of(RunSpec)}
"""Every field that has a value of its own, by name."""


def _resolved(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the value of every field: checked, the default where there is none, None where it does not apply."""
    values = {
        name: check_value(leaf.item, leaf.default if given[name] is None else given[name])
        for name, leaf in LEAVES.items()
    }
    for name, table in (("activation", ACTIVATIONS), ("optimizer", OPTIMIZERS)):
        field = f"{name}_options"
        values[field] = canonical_arguments(field, values[name], values[field], table)
    if values["width"] is None:
        values["width"] = _default_width(values["model"])
    if values["method"] == "lottery" and not values["earlier_densities"] and values["density"] < 1:
        values["earlier_densities"] = (1.0,)
    for name, leaf in LEAVES.items():
        if not leaf.applies(values):
            values[name] = None
    return values


def _default_width(architecture: str) -> int:
    if architecture == "mlp":
        raise ValueError("`width` must be given for an mlp: the units of each hidden layer; received none.")
    return DEFAULT_WIDTH
