"""Flags to options: what the command line says is what executors and reports get."""

import pytest
from absl import flags

from keras_sparseflow.launchers import flags as flags_module
from keras_sparseflow.launchers.flags import (
    define_executor_flags,
    define_report_flags,
    define_run_flags,
    define_spec_flags,
    given_options,
    given_report_options,
    given_spec_values,
)
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.spec.run_spec import LEAVES
from keras_sparseflow.studies.study import GRID_FIELDS


@pytest.fixture
def parsed(monkeypatch):
    """Defines flags in a set of their own, and parses arguments with it."""

    def parse(define_flags, *arguments):
        values = flags.FlagValues()
        monkeypatch.setattr(flags_module, "FLAGS", values)
        for name in (
            "DEFINE",
            "DEFINE_string",
            "DEFINE_bool",
            "DEFINE_enum",
            "DEFINE_float",
            "DEFINE_integer",
            "DEFINE_list",
        ):
            define = getattr(flags, name)
            monkeypatch.setattr(
                flags_module.flags, name, lambda *a, d=define, **o: d(*a, **{**o, "flag_values": values})
            )
        define_flags()
        monkeypatch.undo()
        monkeypatch.setattr(flags_module, "FLAGS", values)
        values(["program", *arguments])

    return parse


# --- fields of specs --------------------------------------------------------------------------------------------


@pytest.fixture
def spec_values(parsed):
    def parse(*arguments, lists=(), without=()):
        parsed(lambda: define_spec_flags(lists=lists, without=without), *arguments)
        return given_spec_values()

    return parse


def test_every_field_has_a_flag_and_none_is_given_unless_it_is(spec_values):
    assert spec_values() == {} and set(LEAVES) <= set(flags_module.FLAGS)
    assert spec_values("--epochs=3", without=("seed", "density")) == {"epochs": 3}
    assert {"seed", "density"}.isdisjoint(flags_module.FLAGS)


def test_values_have_the_type_of_their_field(spec_values):
    given = ["--epochs=3", "--density=0.5", "--variant=BN_L2", "--flow_measures=egf_1,egf_2", "--train_size=none"]
    assert spec_values(*given, "--diagnostics=none", "--earlier_densities=1,0.5", "--width=9") == {
        "epochs": 3, "density": 0.5, "variant": "L2_BN", "flow_measures": ("egf_1", "egf_2"), "diagnostics": (),
        "earlier_densities": (1.0, 0.5), "width": 9,
    }  # fmt: skip


def test_fields_of_grids_take_lists(spec_values):
    given = spec_values("--density=0.5,1", "--variant=BN_L2,NR", "--hidden_layers=2", lists=GRID_FIELDS)
    assert given == {"density": (0.5, 1.0), "variant": ("L2_BN", "NR"), "hidden_layers": (2,)}


def test_help_names_choices(spec_values):
    spec_values(lists=("optimizer",))
    help = flags_module.FLAGS["optimizer"].help
    assert help.endswith("one of sgd, momentum, adam, adamw, adagrad, rmsprop; several separated by commas.")


# --- how runs are executed --------------------------------------------------------------------------------------


@pytest.fixture
def given(parsed):
    def parse(*arguments, executor="auto"):
        parsed(lambda: (define_run_flags(), define_executor_flags(executor)), *arguments)
        return given_options()

    return parse


def test_no_flag_gives_the_defaults(given):
    assert given() == Options()


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("--notensorboard", {"tensorboard": False}),
        ("--jit=true", {"jit": True}),
        ("--jit=false", {"jit": False}),
        ("--jit=auto", {}),
        ("--population_memory_gb=2.5", {"population_memory": 2_500_000_000}),
        ("--population_memory_gb=0", {"population_memory": 0}),
        ("--strategy=tpu", {"strategy": "tpu"}),
        ("--devices=1", {"devices": 1}),
        ("--deterministic", {"jit": False, "deterministic": True}),
    ],
)
def test_each_flag_sets_its_option(given, argument, options):
    assert given(argument) == Options(**options)


def test_what_is_deterministic_is_compiled_only_if_said_so(given):
    assert given("--deterministic", "--jit=true") == Options(jit=True, deterministic=True)


@pytest.mark.parametrize(
    "argument",
    ["--jit=yes", "--executor=paralel", "--population_memory_gb=-1", "--strategy=mirored", "--devices=0"],
)
def test_bad_values_are_refused(given, argument):
    with pytest.raises(flags.IllegalFlagValueError):
        given(argument)


@pytest.mark.parametrize("executor", ["auto", "serial"])
def test_the_launcher_says_which_executor_it_is_unless_another_is_named(given, executor):
    given(executor=executor)
    assert flags_module.FLAGS.executor == executor
    given("--executor=population", executor=executor)
    assert flags_module.FLAGS.executor == "population"


# --- the report ---------------------------------------------------------------------------------------------------


@pytest.fixture
def report_options(parsed):
    def parse(*arguments):
        parsed(define_report_flags, *arguments)
        return given_report_options()

    return parse


def test_a_report_compares_test_accuracy_and_leaves_the_measure_to_the_study(report_options):
    assert report_options() == {"value": "test_accuracy", "diverged": "worst"}


@pytest.mark.parametrize(
    ("argument", "option"),
    [
        ("--compare_by=test_loss", {"value": "test_loss"}),
        ("--compare_by=best_test_accuracy", {"value": "best_test_accuracy"}),
        ("--compare_by=selected_test_accuracy", {"value": "selected_test_accuracy"}),
        ("--diverged=drop", {"diverged": "drop"}),
        ("--measure=egf_1", {"measure": "egf_1"}),
        ("--tau_over=epochs", {"tau_over": "epochs"}),
    ],
)
def test_each_report_flag_sets_its_option(report_options, argument, option):
    assert report_options(argument) == {"value": "test_accuracy", "diverged": "worst", **option}


@pytest.mark.parametrize(
    "argument", ["--compare_by=accuracy", "--diverged=best", "--measure=egf_3", "--tau_over=seeds"]
)
def test_a_bad_report_flag_is_refused(report_options, argument):
    with pytest.raises(flags.IllegalFlagValueError):
        report_options(argument)
