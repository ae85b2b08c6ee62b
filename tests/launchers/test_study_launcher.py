"""The launchers of studies: what their flags make of a preset, what they refuse, and what they only print."""

import re
import subprocess
import sys

import pytest

from keras_sparseflow.analysis.report import writing as report
from keras_sparseflow.data import DataSize
from keras_sparseflow.studies import prepare
from keras_sparseflow.studies import run_study as run_study_module
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.presets.preset_table import GROUPS, PRESETS

LAUNCHERS = ("scsdc", "wide_resnet", "tost")
SIZE = DataSize((4, 4, 1), 10, 200, 359)
DIGITS = ["--dataset=digits", "--image_size=4", "--train_size=200"]


@pytest.fixture
def launched(launch, monkeypatch, tmp_path):
    """Runs a launcher with a stand-in for training and reports; returns the studies, how they are run, and reports."""
    studies, ways, reports = [], [], []

    def run_study(study, **how):
        studies.append(study)
        ways.append(how)
        return tmp_path / study.name

    def write_report(study_dir, **options):
        reports.append((study_dir, options))
        return study_dir / "report.html"

    monkeypatch.setattr(run_study_module, "run_study", run_study)
    monkeypatch.setattr(report, "write_report", write_report)

    def run(name, *arguments):
        for found in (studies, ways, reports):
            found.clear()
        done = launch(name, *arguments)
        assert done.returncode == 0, done.stderr
        return done, studies, ways, reports

    return run


def study_of(launched, name, *arguments):
    _, (study,), _, _ = launched(name, *arguments)
    return study


# --- what flags make of a preset --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "preset"), [("scsdc", "single"), ("wide_resnet", "single_density"), ("tost", "single_tweaks")]
)
def test_without_flags_a_launcher_runs_its_own_preset(name, preset, launched):
    study = study_of(launched, name)
    assert study == PRESETS.get(preset).with_choices({}) and study.overrides() == []


@pytest.mark.parametrize("name", LAUNCHERS)
def test_every_launcher_takes_every_preset_and_the_flags_of_specs(name, launched):
    study = study_of(launched, name, "--preset=table_4", "--epochs=3", "--variant=NR,BN", "--seeds=4", "--study=mine")
    assert (study.name, study.seeds, study.preset) == ("mine", (4,), PRESETS.get("table_4"))
    assert {row["choice"]: row["here"] for row in study.overrides()} == {
        "variant": "NR, BN", "epochs": "3", "seeds": "4",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "dense", "wide"),
    [([], [2, 6, 10, 14, 18], 20), (["--max_width=50"], [5, 15, 25, 35, 45], 50),
     (["--max_width=50", "--width_fractions=0.5,1"], [25, 50], 50),
     (["--preset=scsdc_resnet", "--max_width=2", "--width_fractions=0.5"], [2], 2)],
)  # fmt: skip
def test_dense_widths_are_fractions_of_the_maximum_width(arguments, dense, wide, launched):
    specs = study_of(launched, "scsdc", "--seeds=0", *arguments).specs(SIZE)
    assert sorted({spec.model.width for spec in specs if spec.sparsity.is_dense}) == dense
    assert {spec.model.width for spec in specs if not spec.sparsity.is_dense} == {wide}


@pytest.mark.parametrize(
    ("name", "flags", "changed"),
    [
        ("wide_resnet", ["--model=resnet"], {"depth": "8"}),
        ("wide_resnet", ["--model=vgg", "--depth=13"], {"depth": "13", "variant": "BN", "learning_rate": "0.05"}),
        (
            "scsdc",
            ["--model=resnet", "--epochs=3"],
            {"max_width": "1", "depth": "8", "variant": "SC_BN", "epochs": "3"},
        ),
        ("scsdc", ["--preset=table_4", "--model=resnet"], {"max_width": "1", "depth": "8", "model": "resnet"}),
        ("wide_resnet", ["--preset=lottery", "--model=resnet"], {"depth": "8", "width": "1", "model": "resnet"}),
    ],
)
def test_another_architecture_has_its_own_depth_and_width_and_where_nothing_is_said_its_recipe(
    name, flags, changed, launched
):
    study = study_of(launched, name, *flags)
    here = {row["choice"]: row["here"] for row in study.overrides()}
    assert here.items() >= changed.items() and study.specs(SIZE)
    if "preset" in flags[0]:
        assert {*here} == {*changed}, "the recipe of a paper stays"


def test_rounds_and_densities_are_those_of_the_flags(launched):
    tickets = study_of(launched, "wide_resnet", "--preset=lottery", "--rounds=2", "--fraction=0.5", "--seeds=0")
    assert [spec.sparsity.density for spec in tickets.specs(SIZE)] == [1.0, 0.5, 0.25]
    crossed = study_of(launched, "wide_resnet", "--density=0.1,1", "--method=static,magnitude", "--seeds=0")
    assert len(crossed.specs(SIZE)) == 3


def test_a_group_is_several_studies(launched):
    done, studies, _, reports = launched(
        "scsdc", "--preset=table_1", "--dataset=digits", "--train_size=300", "--epochs=2"
    )
    names = ["table_1_fashion_mnist", "table_1_cifar10", "table_1_cifar100"]
    assert [study.name for study in studies] == [path.name for path, _ in reports] == names
    assert [line for line in done.stdout.splitlines() if line.startswith("Report: ")] == [
        f"Report: {path / 'report.html'}" for path, _ in reports
    ]


def test_all_is_every_preset_of_the_launchers_paper_and_small_is_small(launched):
    _, studies, _, _ = launched("tost", "--preset=all", "--scale=small")
    assert [study.name for study in studies] == [f"{name}_small" for name in GROUPS["tost"]]
    assert {study.value("dataset") for study in studies} == {"digits"} and {study.seeds for study in studies} == {(0,)}
    _, studies, _, _ = launched("scsdc", "--preset=all", "--scale=small", "--epochs=7")
    assert [study.preset.name for study in studies] == [*GROUPS["tessera"]]
    assert {study.value("epochs") for study in studies} == {7}


def test_what_runs_studies_and_writes_reports_is_told_what_flags_say(launched, tmp_path):
    where = [f"--runs_dir={tmp_path / 'runs'}", f"--data_dir={tmp_path / 'data'}"]
    execution = ["--executor=serial", "--notensorboard", "--jit=false", "--allow_collapse", "--population_memory_gb=1"]
    _, _, ways, reports = launched("tost", *where, *execution, "--compare_by=test_loss", "--measure=egf_1")
    options = Options(tensorboard=False, jit=False, allow_collapse=True, population_memory=10**9)
    assert ways == [
        {
            "runs_dir": str(tmp_path / "runs"), "data_dir": str(tmp_path / "data"), "executor": "serial",
            "options": options, "repair": False, "replan": False, "shard": None,
        }
    ]  # fmt: skip
    assert [given for _, given in reports] == [{"value": "test_loss", "diverged": "worst", "measure": "egf_1"}]
    assert launched("tost")[2][0]["executor"] == "auto"


# --- what is only printed ---------------------------------------------------------------------------------------


def test_dry_run_tells_what_a_preset_is_and_costs_without_its_dataset(launch, tmp_path):
    small = ["--image_size=4", "--train_size=200", "--epochs=2", "--seeds=0", "--optimizer=adam", "--variant=BN"]
    done = launch("scsdc", "--preset=table_4", *small, "--dry_run", f"--data_dir={tmp_path}", f"--runs_dir={tmp_path}")
    assert done.returncode == 0 and not list(tmp_path.iterdir())
    text = " ".join(done.stdout.split())
    assert "table_4: Which regularization favours sparse networks at a low learning rate, on Fashion-MNIST" in text
    assert "Reproduces: Table 4." in text and "epochs 2 (preset: 500)" in text and "image_size 4" in text
    assert "Cost: 10 networks, 20 gradient steps;" in text and "Networks that train together" in text


def test_presets_as_they_are_are_listed_without_counting(launch, monkeypatch):
    monkeypatch.setattr(prepare, "cost", lambda *_: pytest.fail("nothing is to be counted"))
    done = launch("scsdc", "--list_presets")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^demo .* 120 +577 G$", done.stdout, re.MULTILINE)


def test_a_preset_may_stand_beside_the_flags(launch, tmp_path):
    done = launch("scsdc", "demo", "--epochs=3", "--dry_run", f"--runs_dir={tmp_path}")
    assert done.returncode == 0 and done.stdout.startswith("demo: "), done.stderr
    twice = launch("scsdc", "demo", "--preset=single", "--dry_run")
    assert twice.returncode == 1 and "received 'demo'" in twice.stderr


def test_presets_are_listed_with_their_cost_or_what_refuses_them(launch):
    changed = ["--image_size=4", "--train_size=1400", "--seeds=0", "--rounds=2", "--width_fractions=0.5"]
    done = launch("tost", "--list_presets", *changed)
    rows = {name: row for name, *row in (line.split() for line in done.stdout.splitlines() if line) if name in PRESETS}
    assert done.returncode == 0 and set(rows) == set(PRESETS.names()), done.stderr
    assert rows["lottery"][-3] == "3", "rounds are of tickets alone"
    assert rows["demo"][-3] == "8"
    assert done.stdout.endswith("\ntost_3: Dataset 'folder' needs `data_dir`, an existing directory.\n")
    refused = " ".join(launch("scsdc", "--list_presets", "--image_size=99").stdout.split())
    assert refused.count("received 99") == len(PRESETS.names()) - 1 and refused.count("needs `data_dir`") == 1


@pytest.mark.parametrize("name", ["scsdc", "wide_resnet", "tost", "train", "report", "activation_figures"])
def test_every_launcher_lists_all_that_has_a_name_and_does_nothing_else(name, launch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = launch(name, "--list_plugins")
    assert done.returncode == 0, done.stderr
    shown = r"^ optimizer +adamw +built in +Adam "
    assert re.search(shown, done.stdout, re.MULTILINE) and not list(tmp_path.iterdir())


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizer=sdg"], "flag --optimizer=sdg: Unknown optimizer 'sdg'; expected one of sgd, momentum, adam"),
        (["--epochs=ten"], "flag --epochs=ten: `epochs` must be a whole number of at least 1; received 'ten'"),
        (["--variant=NR,BM"], "Unknown variant part 'BM'; expected one of NR, DA, L2, SC, BN"),
        (["--sparsity=0.9,0.5"], "--sparsity is not a flag: write density = 1 - sparsity, here --density=0.1,0.5."),
        (["--final_sparsity", "0.9"], "write density = 1 - final_sparsity, here --density=0.1."),
        (["--density=0.1,90"], "`density` must be a number above 0 and at most 1; received 90.0"),
        (["--method=snap"], "Unknown mask schedule 'snap'; expected one of static, magnitude"),
        (["--tweaks=none,GSx"], "Unknown tweak 'GSx'; expected one of none, tost, GSk"),
        (["--seeds=1,x"], "`seeds` must be whole numbers separated by commas; received '1,x'"),
        (["--preset=dmo"], "Did you mean 'demo'?"),
        (["--executor=Serial"], "Unknown executor 'Serial'; expected one of auto, population, ray, serial. Did you"),
        (["--measure=egf2"], "Did you mean 'egf_2'?"),
        (["--strategy=miror"], "Did you mean 'mirrored'?"),
        (["--compare_by=accuracy"], "should be one of <test_accuracy|best_test_accuracy|test_loss|"),
        (
            ["--compare_by=selected_test_accuracy"],
            "--compare_by=selected_test_accuracy needs --validation_size, a number of images held out from training",
        ),
        (["--validation_size=5"], "`validation_size` must be in [10, 1428] for dataset 'digits'"),
        (["--validation_size=1400", "--train_size=100"], "to all but the 1400 of `validation_size`; received 100"),
        (["--diverged=best"], "value should be one of <worst|drop>"),
        (["--learning_rates=1"], "Unknown command line flag 'learning_rates'. Did you mean: learning_rate"),
        (["--matched_fraction=0.5"], "Unknown command line flag 'matched_fraction'"),
        (["--seed=1"], "Unknown command line flag 'seed'. Did you mean: seeds"),
        (["--seeds", "0", "1", "2"], "Only flags are taken, and lists without spaces, such as --seeds=0,1,2; received"),
        (
            ["--preset=table_1", "--study=mine"],
            "`study` names one folder, but table_1 is the studies table_1_fashion_mnist, table_1_cifar10, table_1_cif",
        ),
        (["--width_fractions=90"], "error: `width_fractions` must be a number above 0 and at most 1; received 90.0"),
        (["--max_width=0"], "flag --max_width=0"),
        (["--variant=SC", "--hidden_layers=2"], "at least 3 hidden layers, or a smaller `skip_span`; received 2"),
        (["--density=0.5"], "`density` follows from other choices in study 'single'; received (0.5,)"),
        (["--rounds=3"], "`rounds` is of lottery tickets, such as --preset=lottery; received --preset=single."),
        (["--preset=lottery", "--density=0.1"], "`density` follows from other choices in study 'lottery'; received"),
        (["--width=30"], "`width` follows from other choices in study 'single'; received 30"),
        (
            ["--preset=masks", "--max_width=9"],
            "`max_width` is of matched pairs, such as --preset=single; received --preset=masks.",
        ),
        (["--preset=single_density", *DIGITS, "--depth=12"], "error: `depth` must be 6 n + 4 for n blocks a group"),
        (
            ["--preset=single_density", *DIGITS, "--depth=10", "--width=1", "--density=0.001"],
            "leave every kernel at least one active weight; 0.001 leaves none",
        ),
        (
            ["--preset=lottery", *DIGITS, "--depth=10", "--width=1", "--epochs=6"],
            "error: `rewind_step` must be below 6, the steps of 6 epochs; received 1000. From preset lottery: "
            "`rewind_step` 1000; give --rewind_step too.",
        ),
        (
            ["--preset=single_density", "--model=resnet", "--depth=10"],
            "error: `depth` must be one of 18, 34, 50, 101, 152, or 6 n + 2",
        ),
        (["--dataset=cifar11"], "Unknown dataset 'cifar11'; expected one of digits, folder"),
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_flag_fails_at_once_with_argument_expected_and_received(launch, tmp_path, arguments, message):
    done = launch("scsdc", *arguments, f"--runs_dir={tmp_path}")
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["--list_presets", "--dry_run"])
def test_a_closed_pipe_ends_a_command_without_a_word(flag):
    command = [sys.executable, "launchers/scsdc.py", flag]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 1)


def test_a_study_without_its_dataset_says_how_to_get_it(launch, tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    done = launch("scsdc", "--preset=table_4", f"--data_dir={tmp_path / 'none'}", f"--runs_dir={tmp_path / 'runs'}")
    assert done.returncode == 1 and "Dataset 'fashion_mnist' is not prepared under" in done.stderr
    assert "tfds build fashion_mnist --data_dir=" in done.stderr
