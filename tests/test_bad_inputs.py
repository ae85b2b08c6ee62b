"""A table of bad inputs, of flags and of the public API: each is refused in a clear error before anything is trained.

An error names the argument, says what was expected, and shows what was received. Most rows are made by crossing every
field of a spec, and its flag, with values that it does not take.
"""

import math
import re

import keras
import numpy as np
import pytest
from absl import flags

import keras_sparseflow as ksf
from keras_sparseflow import analysis, records
from keras_sparseflow.checks import LIMITS
from keras_sparseflow.data import DataSize, training_batches
from keras_sparseflow.launchers.flags import given_options
from keras_sparseflow.launchers.study_launcher import define_study_flags, given_studies
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.refusals import check_specs
from keras_sparseflow.studies.spec.fields import valid_names
from keras_sparseflow.studies.spec.run_spec import LEAVES, RunSpec
from keras_sparseflow.studies.study import Study
from keras_sparseflow.training.schedules import Scheduled, cosine

SIZE = DataSize((8, 8, 1), 10, 1000, 100)

HUGE = 10**400
"""A whole number that no float holds."""

CONTEXT = {
    "subset_seed": {"train_size": 100}, "augment_pad": {"variant": "DA"}, "l2": {"variant": "L2"},
}  # fmt: skip
"""Other values with which a field applies, where that decides whether it is looked at."""


def is_number(leaf):
    return bool(LIMITS.keys() & leaf.item.metadata.keys())


def out_of_range(leaf):
    """Yields numbers that a field's limits exclude."""
    limits = leaf.item.metadata
    for limit, beyond in (("minimum", -1), ("above", 0), ("maximum", 1), ("below", 0)):
        if limit in limits:
            yield limits[limit] + beyond


def bad_numbers(leaf):
    whole = "int" in str(leaf.item.type)
    yield from (math.nan, math.inf, -math.inf, "text", "", True, 1j, [], {}, b"1", np.array([1, 2]))
    yield from out_of_range(leaf)
    yield from (0.5, -HUGE) if whole else (HUGE, -HUGE)


NUMBERS = [
    (name, (value,) if leaf.is_list and not isinstance(value, str | list | dict) else value)
    for name, leaf in LEAVES.items()
    if is_number(leaf)
    for value in bad_numbers(leaf)
    if not (leaf.is_list and isinstance(value, list))
]

NAMES = [
    (name, (value,) if leaf.is_list else value)
    for name, leaf in LEAVES.items()
    if valid_names(leaf.item) or name in ("variant", "tweaks")
    for value in ("", "nonsense", 3, 0.5, True, [], "\x1b[2J")
]

OTHERS = [
    ("flow_measures", ()),
    ("flow_measures", "egf_1"),
    ("flow_measures", ("egf_1", "egf_1")),
    ("flow_measures", 3),
    ("flow_readings", ()),
    ("flow_readings", "end"),
    ("diagnostics", "top_eigenvalue"),
    ("diagnostics", 3),
    ("dataset", ""),
    ("dataset", 3),
    ("variant", "BN_BN"),
    ("tweaks", "LS_LS"),
    ("tweaks", "none_LS"),
    ("earlier_densities", 0.5),
    ("earlier_densities", "1,0.5"),
    *(("optimizer_options", (f"sgd.momentum={text}",)) for text in ("nan", "inf", "-inf", "1e999", "text", "", "None")),
    *(("optimizer_options", (text,)) for text in ("", "momentum=0.9", "sgd", "sgd.=1", "nobody.beta=1", "=1", ".=")),
    ("optimizer_options", ("sgd.momentum=0.9", "sgd.momentum=0.8")),
    ("optimizer_options", "sgd.momentum=0.9"),
    ("activation_options", ("prelu.slope=nan",)),
    ("activation_options", ("nobody.slope=1",)),
]


def rows(table):
    """Returns a table's rows, each with an id that is the same in every process."""
    return [
        pytest.param(*row, id=f"{place}-{re.sub(r'[^a-z_]+', '', str(row[-2]))}") for place, row in enumerate(table)
    ]


@pytest.mark.parametrize(("name", "value"), rows([*NUMBERS, *NAMES, *OTHERS]))
def test_a_spec_refuses_the_value_of_a_field(name, value):
    with pytest.raises(ValueError, match=r"received|must|no .*\bis\b|Unknown") as refusal:
        spec = RunSpec.of(**{"width": 68, "density": 0.5, **CONTEXT.get(name, {}), name: value})
        check_specs([spec], SIZE, Options())
    assert clear(refusal, name, value)


def unknown(text, value):
    """Returns whether an error says that a name is unknown, and lists the valid ones."""
    named = value[0] if isinstance(value, list | tuple) and value else value
    return repr(named) in text and "; expected one of" in text


def clear(refusal, name, value):
    """Returns whether an error is one short line that names the argument, in its own words or as a kind of name."""
    text = str(refusal.value)
    if unknown(text, value):
        return True
    words = name.removesuffix("_options").replace("_", "[ _]").removesuffix("s")
    return "\n" not in text.strip() and len(text) < 1000 and re.search(words, text.replace("`", ""))


# --- flags --------------------------------------------------------------------------------------------------------


@pytest.fixture
def study_of():
    """Parses flags of the launcher of studies, and makes the specs of what they ask for."""
    before = set(flags.FLAGS)

    def given(*arguments):
        define_study_flags("single", "tessera")
        flags.FLAGS(["scsdc", *arguments])
        given_options()
        return [check_specs(study.specs(SIZE), SIZE, Options()) for study in given_studies()]

    yield given
    for flag in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, flag)
    flags.FLAGS.unparse_flags()


OF_A_STUDY = ("seed", "earlier_densities", "matched_fraction", "width_fraction")

FLAGS = [
    *(
        (name, text)
        for name, leaf in LEAVES.items()
        if name not in OF_A_STUDY and is_number(leaf)
        for text in ("nan", "inf", "text", "", "1e999", *map(str, out_of_range(leaf)))
    ),
    *((name, text) for name, leaf in LEAVES.items() if valid_names(leaf.item) for text in ("", "nonsense", "=1+1")),
    *(("seeds", text) for text in ("", "text", "0.5", "0,0", "-1", str(2**63), str(HUGE), "0,", "nan")),
    *(("width_fractions", text) for text in ("", "text", "0", "-1", "1.5", "nan", "inf", "0.5,0.5")),
    *(("max_width", text) for text in ("0", "-1", "1.5", "text", "nan")),
    *(("rounds", text) for text in ("0", "1.5", "text")),
    *(("fraction", text) for text in ("nan", "0", "1", "2", "text", "inf")),
    *(("population_memory_gb", text) for text in ("nan", "inf", "-1", "text")),
    *(("devices", text) for text in ("0", "-1", "1.5", "text")),
    *(("strategy", text) for text in ("", "mirored")),
    *(("executor", text) for text in ("", "paralel")),
    *(("execution", text) for text in ("", "dense")),
    *(("jit", text) for text in ("", "yes")),
    *(("study", text) for text in ("../x", "/x", "a/b", "", ".", "..", "a\n", "-x", "a b", "\x1b[2J", "a\0")),
    *(("preset", text) for text in ("", "nonsense", "../single")),
    *(("compare_by", text) for text in ("", "accuracy")),
    *(("diverged", text) for text in ("", "best")),
    *(("measure", text) for text in ("", "egf_3")),
]


@pytest.mark.parametrize(("name", "text"), rows(FLAGS))
def test_a_launcher_refuses_a_flag(study_of, name, text):
    preset = ["--preset=lottery"] if name in ("rounds", "fraction") else []
    with pytest.raises((ValueError, flags.Error)) as refusal:
        study_of(*preset, f"--{name}={text}")
    assert re.search(name.replace("_", "[ _]").removesuffix("s").replace("study", "(study|name)"), str(refusal.value))


# --- the public API -------------------------------------------------------------------------------------------------


def model():
    return keras.Sequential([keras.Input((8,)), ksf.MaskedDense(10, density=0.5, mask_seed=0, name="hidden")])


def gradual(**given):
    return ksf.GradualMagnitude(**{"final_density": 0.1, "begin_step": 0, "end_step": 9, **given})


def batches(**given):
    return training_batches(ksf.load_images(), **{"batch_size": 10, "seed": 0, "epochs": 1, **given})


def signed_rank(**given):
    return analysis.wilcoxon_signed_rank(**{"sparse": [1.0, 2.0], "dense": [0.5, 1.0], **given})


NOT_NUMBERS = (math.nan, math.inf, "text", None, True, [], 1j)
BAD_SEEDS = (-1, 0.5, "0", True, 2**63, math.nan, [], HUGE)
BAD_COUNTS = (0, -1, 0.5, math.nan, math.inf, "3", True, [])

CALLS = [
    *((f, a, v) for f in (ksf.GradientFlow,) for a, v in [
        ("measures", ()), ("measures", "egf_1"), ("measures", ("egf_1", "egf_1")), ("measures", 3), ("measures", (3,)),
        ("measures", ("nonsense",)), ("epochs", 3), ("epochs", "all"), ("epochs", [-1]), ("epochs", [0.5]),
        ("epochs", [math.nan]), ("tensors", "weights"), ("tensors", 3), ("cost", "loss"), ("cost", 3),
        ("readings", ()), ("readings", "steps"), ("readings", ("nonsense",)), ("readings", 3), ("readings", ("end",)),
        ("training", "yes"), ("training", 1), *(("total_epochs", value) for value in BAD_COUNTS),
        ("log_dir", 3),
    ]),
    *((f, a, v) for f in (ksf.RigL, ksf.SET) for a, v in [
        *(("frequency", value) for value in (*BAD_COUNTS, None)),
        *(("drop_fraction", value) for value in (*NOT_NUMBERS, 0, -1, 1.5)),
        *(("begin_step", value) for value in (-1, 0.5, "0", math.nan, None, True)),
        *(("first_step", value) for value in (-1, 0.5, "0", math.nan, None, True)),
        *(("end_step", value) for value in (-1, 0.5, "9", math.nan, True, 100)),
        *(("decay", value) for value in ("linear", 3, None)),
        *(("layers", value) for value in ("hidden", 3, [3], [], ["a", "a"])),
    ]),
    (ksf.RigL, "cost", "loss"), (ksf.RigL, "cost", 3),
    *((ksf.SET, "seed", value) for value in BAD_SEEDS),
    *((gradual, a, v) for a, v in [
        *(("final_density", value) for value in (*NOT_NUMBERS, 0, 2)),
        *(("initial_density", value) for value in (*NOT_NUMBERS, 0.05, 2)),
        *(("begin_step", value) for value in (-1, 0.5, "0", math.nan, None, 10)),
        *(("end_step", value) for value in (0, -1, 0.5, "9", math.nan, None)),
        *(("frequency", value) for value in BAD_COUNTS),
    ]),
    *((lambda **o: ksf.GhostSchedule(**{"end_step": 9, **o}), a, v) for a, v in [
        *(("end_step", value) for value in BAD_COUNTS), *(("first_step", value) for value in (-1, 0.5, "0", None)),
        ("beta", 3), ("beta", (1,)), ("beta", (1, math.nan)), ("beta", (0, 1)), ("beta", (1, math.inf)),
        ("beta", ("a", "b")), ("alpha", "sine"), ("alpha", 3),
    ]),
    *((Options, a, v) for a, v in [
        ("tensorboard", "yes"), ("tensorboard", 1), ("tensorboard", None), ("jit", "auto"), ("jit", 1),
        *(("population_memory", value) for value in (-1, 0.5, math.nan, math.inf, "1", True, [])),
        *(("checkpoint_seconds", value) for value in (*NOT_NUMBERS, -1)),
        ("strategy", "mirored"), ("strategy", 3), ("strategy", None), *(("devices", value) for value in BAD_COUNTS),
        ("allow_collapse", "no"), ("allow_collapse", None), ("execution", "dense"), ("execution", None),
    ]),
    *((ksf.load_images, a, v) for a, v in [
        ("name", 3), ("name", None), ("name", []), ("name", b"digits"), ("data_dir", 3), ("data_dir", []),
        *(("image_size", value) for value in (*BAD_COUNTS, 9)),
        *(("train_size", value) for value in (*BAD_COUNTS, 5, 10**6)),
        *(("subset_seed", value) for value in (*BAD_SEEDS, None)),
    ]),
    *((lambda **o: Study(**{"name": "s", "title": "", **o}), a, v) for a, v in [
        *(("name", value) for value in ("", "../x", "/x", "a/b", ".", "..", "a b", "a\n", "\x1b[2J", 3, None)),
        ("comparison", "nonsense"), ("comparison", 3), ("measure", "egf_3"), ("measure", None), ("grids", ()),
        ("grids", [{"seed": (0,)}]),
        ("base", {"nonsense": 1}), ("base", {"variant": "BN"}), ("seeds", ()), ("seeds", (0, 0)), ("seeds", 3),
        *(("seeds", (value,)) for value in (-1, 0.5, "0", 2**63, True)), ("width_fractions", ()),
        *(("width_fractions", (value,)) for value in (0, -1, 1.5, math.nan, "0.5", True)),
        *(("max_width", value) for value in (0, -1, 0.5, math.nan, "9", True)),
        *(("rounds", value) for value in (0, -1, 0.5, "9", True)),
    ]),
    *((lambda **o: Study(name="s", title="", grids=[o]), "variant", v) for v in ((), ("BN", "BN"), "BN", 3, ("B",))),
    *((lambda **o: Study(**{"name": "s", "title": "", "comparison": "densities", "rounds": 2, **o}), "fraction", v)
      for v in (*NOT_NUMBERS, 0, 1, 2, 1e-9)),
    *((lambda **o: ksf.MaskedDense(4, **o), a, v) for a, v in [
        *(("density", value) for value in (*NOT_NUMBERS, -1, 90)),
        *(("mask_seed", value) for value in BAD_SEEDS),
    ]),
    *((lambda **o: ksf.sparsify(model(), **{"density": 0.5, **o}), a, v) for a, v in [
        *(("density", value) for value in (math.nan, math.inf, "text", True, [], -1, 90)),
        *(("seed", value) for value in BAD_SEEDS),
        ("distribution", "nonsense"), ("distribution", {"nobody": 3}), ("distribution", {"hidden": 999}),
        ("score", "nonsense"), ("score", ""), ("exclude", "nobody"), ("exclude", ["nobody"]), ("include", ["nobody"]),
    ]),
    *((ksf.measured_epochs, a, v) for a, v in [
        *(("epochs", value) for value in (*BAD_COUNTS, None)),
    ]),
    *((lambda **o: ksf.measured_epochs(9, **o), "count", v) for v in (-1, 0.5, math.nan, "3", True)),
    *((lambda **o: Scheduled(**{"rate": 0.1, "factor": cosine, "steps": 9, **o}), a, v) for a, v in [
        *(("rate", value) for value in (math.nan, math.inf, 0, -1, [0.1, math.nan])),
        *(("steps", value) for value in BAD_COUNTS), *(("first_step", value) for value in (-1, 0.5, math.nan, "0")),
    ]),
    *((batches, a, v) for a, v in [
        *(("batch_size", value) for value in (*BAD_COUNTS, 10**6)), *(("seed", value) for value in BAD_SEEDS),
        *(("epochs", value) for value in (-1, 0.5, math.nan, "3", True)),
        *(("initial_epoch", value) for value in (-1, 2, 0.5, math.nan, "0")),
        *(("augment_pad", value) for value in (-1, 9, 0.5, math.nan, "1", True)),
    ]),
    *((lambda **o: records.read_results("runs/none", **o), "damaged", v) for v in ("no", None, 3)),
    *((signed_rank, a, v) for a, v in [
        ("method", "nonsense"), ("alternative", "nonsense"), ("dense", [1.0]),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "name", "value"), rows(CALLS))
def test_a_function_refuses_an_argument(call, name, value):
    with pytest.raises((ValueError, TypeError)) as refusal:
        made = call(**{name: value})
        if isinstance(made, Study):
            check_specs(made.specs(SIZE), SIZE, Options())
    text = str(refusal.value)
    assert unknown(text, value) or (re.search(name.replace("_", "[ _]"), text) and "received" in text), text


def test_the_table_is_large():
    assert len(NUMBERS) + len(NAMES) + len(OTHERS) + len(FLAGS) + len(CALLS) >= 400
