"""Flags to options: what the command line says is what executors get."""

import pytest
from absl import flags

from keras_sparseflow.launchers import flags as flags_module
from keras_sparseflow.launchers.flags import (
    define_executor_flags,
    define_report_flags,
    define_run_flags,
    given_options,
    given_report_options,
    listed_presets,
)
from keras_sparseflow.studies.executors.executors import Options
from keras_sparseflow.studies.presets.preset_table import PRESETS
from tests.plugins.packages import install


@pytest.fixture
def parsed(monkeypatch):
    """Defines flags in a set of their own, and parses arguments with it."""

    def parse(define_flags, *arguments):
        values = flags.FlagValues()
        monkeypatch.setattr(flags_module, "FLAGS", values)
        for name in ("DEFINE", "DEFINE_string", "DEFINE_bool", "DEFINE_enum", "DEFINE_float", "DEFINE_integer"):
            define = getattr(flags, name)
            monkeypatch.setattr(
                flags_module.flags, name, lambda *a, d=define, **o: d(*a, **{**o, "flag_values": values})
            )
        define_flags()
        monkeypatch.undo()
        monkeypatch.setattr(flags_module, "FLAGS", values)
        values(["program", *arguments])

    return parse


@pytest.fixture
def given(parsed):
    def parse(*arguments, executor="auto"):
        parsed(lambda: (define_run_flags(), define_executor_flags(executor)), *arguments)
        return given_options()

    return parse


@pytest.fixture
def report_options(parsed):
    def parse(*arguments):
        parsed(define_report_flags, *arguments)
        return given_report_options()

    return parse


def test_presets_that_can_not_be_had_are_named_and_the_rest_is_listed(monkeypatch, capsys):
    install(monkeypatch, PRESETS, "studies 0.4", mine="no_such_module:STUDY", table_4="json:dumps")
    found = listed_presets(PRESETS)
    assert [study.name for study in found] == [name for name in PRESETS.builtins if name != "table_4"]
    twice, broken = capsys.readouterr().err.splitlines()
    assert broken.startswith("Left out: The preset 'mine' (studies 0.4, no_such_module:STUDY) is broken: there is no")
    assert twice.startswith("Left out: The preset 'table_4' can't be used: built in and studies 0.4")


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
        ("--deterministic", {"jit": False}),
    ],
)
def test_each_flag_sets_its_option(given, argument, options):
    assert given(argument) == Options(**options)


def test_what_is_deterministic_is_compiled_only_if_said_so(given):
    assert given("--deterministic", "--jit=true") == Options(jit=True)


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


def test_a_report_compares_test_accuracy_and_leaves_the_measure_to_the_study(report_options):
    assert report_options() == {"value": "test_accuracy", "diverged": "worst"}


@pytest.mark.parametrize(
    ("argument", "option"),
    [
        ("--compare_by=test_loss", {"value": "test_loss"}),
        ("--compare_by=best_test_accuracy", {"value": "best_test_accuracy"}),
        ("--diverged=drop", {"diverged": "drop"}),
        ("--measure=egf_1", {"measure": "egf_1"}),
    ],
)
def test_each_report_flag_sets_its_option(report_options, argument, option):
    assert report_options(argument) == {"value": "test_accuracy", "diverged": "worst", **option}


@pytest.mark.parametrize("argument", ["--compare_by=accuracy", "--diverged=best", "--measure=egf_3"])
def test_a_bad_report_flag_is_refused(report_options, argument):
    with pytest.raises(flags.IllegalFlagValueError):
        report_options(argument)
