"""The help of a launcher: its flags by the parts of a spec, common ones first, with the defaults that will be used."""

import shutil
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from absl import app, flags

from keras_sparseflow.studies.spec.fields import Leaf
from keras_sparseflow.studies.spec.run_spec import DEFAULT_WIDTH, LEAVES
from keras_sparseflow.studies.study import GRID_FIELDS, Study, values_of

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this


class Group(NamedTuple):
    """Flags that stand together: `common` ones in this order in --help, `rare` ones after them in --helpfull."""

    title: str
    common: tuple[str, ...]
    rare: tuple[str, ...] = ()


_GROUPS = {
    "": Group("Study", ("preset", "scale", "study", "seeds", "seed")),
    "data": Group("Data", ("dataset", "data_dir", "image_size", "train_size", "validation_size")),
    "model": Group("Model", ("model", "hidden_layers", "depth", "width", "max_width", "width_fractions", "activation")),
    "sparsity": Group(
        "Sparsity",
        ("density", "matched_fraction", "method", "score", "distribution", "rounds", "fraction"),
        ("allow_collapse",),
    ),
    "training": Group(
        "Training", ("variant", "tweaks", "optimizer", "learning_rate", "schedule", "batch_size", "epochs", "l2")
    ),
    "measurement": Group("Measurement", ("flow_epochs", "diagnostics")),
    "execution": Group(
        "Execution",
        ("runs_dir", "executor", "strategy", "repair", "debug"),
        (
            *("execution", "tensorboard", "callbacks", "jit", "devices", "population_memory_gb", "memory_growth"),
            *("deterministic", "shard", "replan", "ray_address", "task_cpus", "task_gpus", "task_retries"),
        ),
    ),
    "report": Group(
        "Report", ("compare_by", "measure", "diverged", "tau_over", "output_dir", "figures", "watch", "export")
    ),
    "other": Group("Other flags", ()),
    "first": Group(
        "Without training, and command lines kept",
        ("dry_run", "estimate", "list_presets", "list_plugins", "flagfile", "write_flagfile", "help", "helpfull"),
    ),
    "absl": Group("Flags of absl", ()),
}
"""Groups of flags, by the name of a part of a spec or of another subject. A field in no group is rare in its part."""

_WIDEST = 100


@dataclass(frozen=True)
class Defaults:
    """Values of the flags that the command line leaves out.

    Args:
        source: origin of these values, in words.
        values: by the name of a flag, as it would be typed.
    """

    source: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


def define_help_flags() -> None:
    """Defines --help and --helpfull, which show the help after all flags are read, so that a preset counts."""
    app.define_help_flags()  # absl would define its own later
    usual = (("help", "?", "show the common flags"), ("helpshort", None, "the same as --help"))
    for name, letter, help in (*usual, ("helpfull", None, "show every flag")):
        flags.DEFINE_flag(flags.BooleanFlag(name, False, f"{help}.", short_name=letter, allow_override=True))


def asked_for_help() -> bool:
    """Returns whether the command line asks for help."""
    return bool(FLAGS.help or FLAGS.helpshort or FLAGS.helpfull)


def help_page(about: str, defaults: Defaults) -> str:
    """Returns the help of a launcher, as wide as the terminal.

    Args:
        about: text before the flags.
        defaults: of flags that are not given.
    """
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    lines = [about.strip()]
    if defaults.source:
        lines += ["", textwrap.fill(f"Defaults are those of {defaults.source}", width)]
    few = "dataset" not in FLAGS  # a launcher without specs has no rare flags
    for title, names in _grouped(FLAGS.helpfull, few):
        lines += ["", f"{title}:", *(_described(FLAGS[name], defaults, width) for name in names)]
    if not (FLAGS.helpfull or few):
        lines += ["", "--helpfull shows the rare flags too."]
    return "\n".join(lines)


def study_defaults(study: Study) -> Defaults:
    """Returns what the flags of a launcher of studies have that are not given, under a preset.

    Example:
        >>> from keras_sparseflow.studies.presets.preset_table import PRESETS
        >>> study_defaults(PRESETS.get("demo")).values["optimizer"]
        'sgd,adam'
    """
    derived = f"follows from other choices of {study.name}"
    values = {
        name: derived
        if name in study.derived_fields
        else shown(values_of(study.grids, name, leaf.default) if name in GRID_FIELDS else study.value(name))
        for name, leaf in LEAVES.items()
    }
    own_width = "inputs + 4" if study.value("model") == "mlp" else str(DEFAULT_WIDTH)
    pairs = study.comparison == "pairs"
    values |= {
        "study": study.name,
        "seeds": shown(study.seeds),
        "width_fractions": shown(study.width_fractions) if pairs else "of pairs alone",
        "max_width": str(study.max_width or own_width) if pairs else "of pairs alone",
        "rounds": "of lottery tickets alone" if study.rounds is None else str(study.rounds),
        "fraction": "of lottery tickets alone" if study.rounds is None else str(study.fraction),
    }
    if not pairs:
        values["width"] = str(study.base.get("width") or own_width)
    return Defaults(f"preset {study.name}: {study.title}", values)


def spec_defaults(source: str, changed: Mapping[str, Any]) -> Defaults:
    """Returns what the flags of single networks have that are not given.

    Args:
        source: origin of `changed`, in words.
        changed: fields that have another value than their default.
    """
    values = {name: shown(changed.get(name, leaf.default)) for name, leaf in LEAVES.items()}
    return Defaults(source, values)


def shown(value: Any) -> str:
    """Returns a value as it would be typed.

    Example:
        >>> shown((0.1, 1.0)), shown(()), shown(None)
        ('0.1,1.0', 'none', 'none')
    """
    if value is None or value in ((), []):
        return "none"
    return ",".join(map(shown, value)) if isinstance(value, list | tuple) else str(value)


def _grouped(full: bool, few: bool) -> list[tuple[str, list[str]]]:
    """Returns titles of groups, and the names of their flags that are shown, without groups that have none."""
    place = {name: key for key, group in _GROUPS.items() for name in (*group.common, *group.rare)}
    rest: dict[str, list[str]] = {key: [] for key in _GROUPS}
    for name in FLAGS:
        if name == FLAGS[name].name and name not in place:  # not the letter of a flag
            rest[_place_of(name)].append(name)
    shown_groups = []
    for key, group in _GROUPS.items():
        names = [name for name in group.common if name in FLAGS]
        if full or (few and key != "absl"):
            names += [name for name in (*group.rare, *rest[key]) if name in FLAGS]
        if names:
            shown_groups.append((group.title, names))
    return shown_groups


def _place_of(name: str) -> str:
    leaf: Leaf | None = LEAVES.get(name)
    if leaf is not None:
        return leaf.path[0] if len(leaf.path) > 1 else ""
    return "absl" if str(FLAGS.find_module_defining_flag(name)).startswith("absl") else "other"


def _described(flag: flags.Flag, defaults: Defaults, width: int) -> str:
    """Returns the lines on one flag."""
    default = defaults.values.get(flag.name)
    if default is None and flag.default_as_str and not (flag.boolean and flag.default is False):
        default = flag.default_as_str.strip("'")
    text = str(flag.help).strip().removesuffix(".") + (f" (default: {default})." if default else ".")
    name = f"--[no]{flag.name}" if flag.boolean and flag.default else f"--{flag.name}"
    return textwrap.fill(
        f"{name}: {text}", width, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False
    )
