"""The help of launchers: groups, common and rare flags, and the defaults that will be used."""

import re

import pytest

from keras_sparseflow.launchers.command_line.help_pages import study_defaults
from keras_sparseflow.studies.presets.preset_table import PRESETS
from keras_sparseflow.studies.spec.run_spec import LEAVES

STUDIES = ("scsdc", "wide_resnet", "tost")
LAUNCHERS = (*STUDIES, "train", "report", "check", "activation_figures")


@pytest.fixture
def page(launch, monkeypatch):
    """Shows the help of a launcher; returns its text, and what it says of each flag by its name."""

    def show(name, *arguments, columns=80):
        launch_as = launch
        monkeypatch.setenv("COLUMNS", str(columns))
        done = launch_as(name, *arguments)
        assert done.returncode == 0 and not done.stderr, done.stderr
        said = re.findall(r"^  --(?:\[no\])?(\w+): (.*?)(?=^  --|^\S|\Z)", done.stdout, re.MULTILINE | re.DOTALL)
        return done.stdout, {flag: " ".join(text.split()) for flag, text in said}

    return show


@pytest.mark.parametrize("name", LAUNCHERS)
def test_help_fits_into_80_columns_and_names_a_flag_once(name, page):
    for arguments in (["--help"], ["--helpfull"]):
        text, said = page(name, *arguments)
        assert max(map(len, text.splitlines())) <= 120, "the examples above the flags may be longer than 80"
        flags = text[text.index(":\n  --") :]
        assert max(map(len, flags.splitlines())) <= 80
        assert len(re.findall(r"^  --", text, re.MULTILINE)) == len(said) > 5


def test_groups_are_the_parts_of_a_spec_with_common_flags_first(page):
    text, common = page("scsdc", "--help")
    titles = re.findall(r"^(\w[\w ,]+):$", text, re.MULTILINE)
    assert titles == ["Study", "Data", "Model", "Sparsity", "Training", "Measurement", "Execution", "Report",
                      "Without training, and command lines kept"]  # fmt: skip
    names = [*common]
    assert names.index("variant") < names.index("optimizer") < names.index("learning_rate") < names.index("epochs")
    assert "label_smoothing" not in common and "--helpfull shows the rare flags too." in text
    _, every = page("scsdc", "--helpfull")
    assert {*LEAVES} - {"seed", "earlier_densities", "matched_fraction", "width_fraction"} <= every.keys()
    assert common.keys() < every.keys() and "undefok" not in common


@pytest.mark.parametrize("name", ["report", "check", "activation_figures"])
def test_launchers_of_few_flags_show_all_of_them(name, page):
    assert "debug" in page(name, "--help")[1] and "rare flags" not in page(name, "--help")[0]


@pytest.mark.parametrize(
    ("name", "arguments", "shown"),
    [
        ("tost", [], {"dataset": "digits", "method": "static", "tweaks": "none,tost", "rescale_iterations": "20"}),
        ("tost", ["--preset=tost_4"], {"dataset": "cifar100", "method": "lottery", "learning_rate": "0.1"}),
        ("scsdc", ["demo"], {"optimizer": "sgd,adam", "epochs": "30", "density": "follows from other choices of demo"}),
        ("scsdc", [], {"max_width": "inputs + 4", "seeds": "0,1,2", "rounds": "of lottery tickets alone"}),
        ("wide_resnet", [], {"dataset": "digits", "variant": "SC_BN", "schedule": "wide_resnet"}),
        ("wide_resnet", ["--preset=table_1"], {"dataset": "fashion_mnist", "study": "table_1_fashion_mnist"}),
        ("train", [], {"learning_rate": "0.03", "train_size": "none"}),
        ("train", ["--model=vit"], {"activation": "gelu", "optimizer": "adam"}),
    ],
)  # fmt: skip
def test_defaults_are_those_that_will_be_used(name, arguments, shown, page):
    _, said = page(name, *arguments, "--helpfull", columns=100)
    assert {flag: re.search(r"\(default: (.*)\)\.$", said[flag])[1] for flag in shown} == shown


def test_every_preset_has_defaults_for_every_field():
    for study in PRESETS.load_all()[0].values():
        assert study_defaults(study).values.keys() >= LEAVES.keys(), study.name
