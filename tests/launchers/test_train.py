"""The launcher of single networks: what its flags make, what it prints, and what it refuses."""

import pytest

from keras_sparseflow import records
from keras_sparseflow.records import RunFolder
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.executors.options import Options
from tests.plugins.packages import registered

IMAGES = ["--image_size=4", "--train_size=100", "--batch_size=50"]
RESULT = {"test_accuracy": 0.123456789, "epochs_run": 3}


@pytest.fixture
def trained(launch, monkeypatch, tmp_path):
    """Trains by an executor that only writes a result; returns what was printed and what it was given."""
    seen = []

    def finish(prepared, data, progress):
        seen.append(prepared)
        folder = RunFolder(prepared.study_dir, prepared.specs[0].run_id)
        folder.start({"run_id": folder.run_id, "spec": prepared.specs[0].to_dict()})
        last = {"loss": 1.0, "accuracy": 0.1, "test_loss": 1.0, "test_accuracy": RESULT["test_accuracy"]}
        folder.finish(RESULT, {"history": [{"epoch": epoch, **last} for epoch in range(3)], "flow": []})

    registered(monkeypatch, EXECUTORS, instant=finish)

    def run(*arguments):
        done = launch("train", *IMAGES, f"--runs_dir={tmp_path}", "--executor=instant", "--notensorboard", *arguments)
        assert done.returncode == 0, done.stderr
        return done, seen[-1]

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "sgd-NR-mlp_4_20-dense-s0-"),
        (["--width=7", "--hidden_layers=2", "--seed=3"], "sgd-NR-mlp_2_7-dense-s3-"),
        (["--matched_fraction=0.3", "--variant=BN"], "sgd-BN-mlp_4_20-random-m6-s0-"),
        (["--density=0.1", "--method=set"], "sgd-NR-mlp_4_20-set-d0.1-s0-"),
        (
            ["--model=resnet", "--depth=8", "--width=2", "--width_fraction=0.5"],
            "momentum-SC_BN-resnet_8_2x0.5-dense-s0-",
        ),
    ],
)
def test_flags_are_fields_of_a_spec_and_the_result_is_printed(arguments, words, trained, tmp_path):
    extra = ["--move_frequency=1"] if "--method=set" in arguments else []
    done, prepared = trained(*arguments, *extra)
    (spec,) = prepared.specs
    assert spec.run_id.startswith(words) and prepared.options == Options(tensorboard=False)
    assert prepared.study_dir == tmp_path / "networks-digits-4px-100"
    rows = dict(
        line.strip("│ ").replace(" ", "").split("│") for line in done.stdout.splitlines() if line.startswith("│")
    )
    assert rows == {"test_accuracy": "0.123457", "epochs_run": "3"}
    assert done.stdout.splitlines()[-1] == f"Files: {prepared.study_dir / spec.run_id}"


def test_networks_join_the_study_that_is_named(trained, tmp_path):
    for arguments in (["--width=7"], ["--width=8"]):
        trained(*arguments, "--study=mine")
    assert sorted(records.read_results(tmp_path / "mine")["width"]) == [7, 8]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds=1"], "Unknown command line flag 'seeds'. Did you mean: seed"),
        (["--variant=NR,BN"], "Unknown variant part 'NR,BN'"),
        (
            ["--matched_fraction=0.3", "--method=magnitude"],
            "error: `method` must be static, rigl or set for a network of",
        ),
        (["--dataset=cifar11"], "Unknown dataset 'cifar11'; expected one of digits, folder"),
    ],
)
def test_bad_flags_are_refused_in_a_line_and_nothing_is_written(arguments, message, launch, tmp_path):
    done = launch("train", *arguments, f"--runs_dir={tmp_path}")
    assert done.returncode == 1 and message in done.stderr and not list(tmp_path.iterdir())


def test_without_flags_it_is_a_small_network_by_a_recipe_and_each_flag_changes_it(trained):
    _, prepared = trained()
    training = prepared.specs[0].training
    assert (training.learning_rate, training.epochs) == (0.03, 30)
    _, prepared = trained("--model=wide_resnet", "--epochs=2")
    (spec,) = prepared.specs
    assert (spec.model.depth, spec.model.width, spec.training.variant, spec.training.optimizer) == (
        10, 1, "SC_BN", "momentum",
    )  # fmt: skip
    assert (spec.training.learning_rate, spec.training.schedule, spec.training.epochs) == (0.1, "wide_resnet", 2)


def test_dry_run_says_what_would_be_trained_and_how_and_writes_nothing(launch, tmp_path):
    done = launch("train", "--density=0.1", "--model=resnet", "--dry_run", f"--runs_dir={tmp_path}")
    assert done.returncode == 0 and not list(tmp_path.iterdir()), done.stderr
    told = dict(line.strip().split(maxsplit=1) for line in done.stdout.splitlines() if len(line.split()) > 1)
    assert told["model"] == "resnet" and told["variant"] == "SC_BN" and told["density"] == "0.1"
    assert {"Cost:", "Computed", "epochs"} <= told.keys() and told["optimizer"] == "momentum"
