"""A study in TensorBoard's HParams dashboard: its columns, and a row for each run of any executor."""

import subprocess
import sys

import pandas as pd
import pytest
from tensorboard.plugins.custom_scalar import layout_pb2, metadata
from tensorboard.plugins.hparams import api_pb2
from tensorflow.python.summary.summary_iterator import summary_iterator

from keras_sparseflow.records import RunFolder, read_study, write_json
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.run.dashboard import ALWAYS_SHOWN, hyperparameters, write_experiment
from keras_sparseflow.studies.run.log import RunLog
from keras_sparseflow.studies.run_study import run_network, run_study
from keras_sparseflow.studies.study import Study
from tests.backend import untraced
from tests.studies.executing import train
from tests.training.dashboard import Dashboard, values

FLOW = ["egf_1", "egf_2", "grad_norm_1", "grad_norm_2"]


def plan(study_dir, specs):
    """Writes what `run_study` writes before it trains."""
    study_dir.mkdir(exist_ok=True)
    write_json(study_dir / "study.json", {"run_ids": [spec.run_id for spec in specs]})
    write_experiment(study_dir, specs)


def domains(study_dir):
    """The listed values of each hyperparameter that differs, and the names of those that do not."""
    infos = Dashboard(study_dir).experiment().hparam_infos
    return {info.name: values(info.domain_discrete) for info in infos if info.differs}, {
        info.name for info in infos if not info.differs
    }


# --- hyperparameters of a run -----------------------------------------------------------------------------------


def test_a_run_shows_the_fields_that_studies_vary_and_others_that_are_not_at_their_default(spec):
    """Fields that do not apply are none; fields that may be none are text in every run."""
    shown = hyperparameters(spec(variant="L2_BN", seed=2, image_size=8))
    assert shown == {
        "optimizer": "sgd", "variant": "L2_BN", "activation": "relu", "learning_rate": 0.1, "model": "mlp",
        "hidden_layers": "1", "depth": "none", "width": "20", "method": "static", "score": "random",
        "distribution": "none", "density": "none", "matched_fraction": "0.3", "tweaks": "none", "seed": "2",
        "dataset": "digits", "image_size": "8", "train_size": "none", "batch_size": "24", "epochs": "3", "l2": "0.0001",
    }  # fmt: skip
    assert set(shown) == set(ALWAYS_SHOWN)
    more = hyperparameters(spec(flow_measures=("egf_2", "egf_1"), flow_readings=("end",), train_size=50, subset_seed=4))
    assert {name: more[name] for name in set(more) - set(ALWAYS_SHOWN)} == {
        "flow_measures": "egf_2,egf_1", "flow_readings": "end", "subset_seed": "4",
    }  # fmt: skip


def test_a_dense_run_shows_how_it_is_to_be_pruned(spec):
    shown = hyperparameters(spec(matched_fraction=None, method="magnitude", density=0.05, prune_from=0.2))
    assert (shown["method"], shown["density"], shown["prune_from"]) == ("magnitude", "0.05", "0.2")
    assert "prune_until" not in shown and shown["score"] == "none"


# --- columns of a study -----------------------------------------------------------------------------------------


def test_the_columns_are_those_of_all_runs_of_the_study(pair, tmp_path):
    plan(tmp_path, [spec for seed in (0, 1) for spec in pair(seed=seed)])
    differing, same = domains(tmp_path)
    assert differing == {
        "width": ["6", "20"], "density": ["1.0", "none"], "matched_fraction": ["0.3", "none"],
        "method": ["none", "static"], "score": ["none", "random"], "seed": ["0", "1"],
    }  # fmt: skip
    assert same == set(ALWAYS_SHOWN) - set(differing)
    metrics = Dashboard(tmp_path).experiment().metric_infos
    assert [(info.name.tag, info.display_name) for info in metrics] == [
        ("metrics/test_accuracy", "test accuracy"), ("metrics/test_loss", "test loss"), ("metrics/loss", "train loss"),
        *((f"flow/{name}/{measure}", f"{measure} ({name})") for measure in FLOW for name in ("end", "steps")),
    ]  # fmt: skip


def test_a_field_that_one_run_sets_is_a_column_with_the_default_of_the_others(spec, tmp_path):
    plan(tmp_path, [spec(), spec(flow_cost="data")])
    assert domains(tmp_path)[0] == {"flow_cost": ["data", "total"]}


def test_a_field_that_applies_to_some_runs_alone_is_a_column_of_text(spec, tmp_path):
    """Fields of lists and of numbers are columns of text, too."""
    rounds = {"matched_fraction": None, "density": 0.5, "method": "lottery"}
    plan(tmp_path, [spec(), spec(**rounds), spec(matched_fraction=None, method="rigl", density=0.5, move_until=0.25)])
    found = domains(tmp_path)[0]
    assert found["earlier_densities"] == ["1.0", "none"] and found["move_until"] == ["0.25", "none"]


def test_flow_columns_are_those_that_some_run_measures(spec, tmp_path):
    plan(tmp_path, [spec(flow_measures=("egf_2",), flow_readings=("end",)), spec(flow_epochs=0, seed=1)])
    tags = [info.name.tag for info in Dashboard(tmp_path).experiment().metric_infos]
    assert [tag for tag in tags if tag.startswith("flow/")] == ["flow/end/egf_2"]


def test_planning_again_replaces_the_columns(spec, tmp_path):
    plan(tmp_path, [spec(seed=0)])
    plan(tmp_path, [spec(seed=1), spec(seed=2)])
    assert len(list((tmp_path / "events").iterdir())) == 1
    assert domains(tmp_path)[0] == {"seed": ["1", "2"]}


def test_runs_that_the_study_lists_and_that_have_begun_count_too(spec, tmp_path):
    specs = [spec(seed=seed) for seed in range(3)]
    for begun in specs[:2]:
        RunLog(begun, RunFolder(tmp_path, begun.run_id), tensorboard=True).start([])
    write_json(tmp_path / "study.json", {"run_ids": [specs[i].run_id for i in (1, 2)]})  # 0 is no longer planned
    write_experiment(tmp_path, [specs[2]])
    assert domains(tmp_path)[0] == {"seed": ["1", "2"]}


def test_the_tab_of_custom_scalars_has_a_chart_of_each_column_with_all_runs_in_it(pair, tmp_path):
    plan(tmp_path, pair(flow_measures=("egf_2",), flow_readings=("end",)))
    (file,) = map(str, (tmp_path / "events").iterdir())
    written = [value for event in summary_iterator(file) for value in event.summary.value]
    (value,) = [value for value in written if value.tag == metadata.CONFIG_SUMMARY_TAG]
    (category,) = layout_pb2.Layout.FromString(value.tensor.string_val[0]).category
    assert [chart.title for chart in category.chart] == ["test accuracy", "test loss", "train loss", "egf_2 (end)"]
    assert list(category.chart[-1].multiline.tag) == ["^flow/end/egf_2$"]


# --- runs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["serial", "population"])
def test_trained_runs_are_rows_with_what_their_files_say(executor, pair, data, tmp_path):
    specs = [pair(epochs=2)[0], pair(epochs=2, flow_measures=("egf_2",))[1]]
    plan(tmp_path, specs)
    with untraced():
        train(executor, specs, tmp_path, data)
    rows = Dashboard(tmp_path).rows()
    assert set(rows) == {spec.run_id for spec in specs}
    for run in specs:
        row = rows[run.run_id]
        assert (row["run"], row["status"]) == (f"{run.run_id}/events", "STATUS_SUCCESS")
        assert row["hparams"] == hyperparameters(run)
        history, flow = (pd.read_csv(tmp_path / run.run_id / name) for name in ("history.csv", "flow.csv"))
        last = history[history["epoch"] == 1].iloc[0]
        expected = {f"metrics/{name}": last[name] for name in ("test_accuracy", "test_loss", "loss")}
        for found in flow[(flow["epoch"] == 1) & (flow["layer"] == "total")].itertuples():
            expected[f"flow/{found.reading}/{found.measure}"] = found.value
        assert len(expected) == 3 + 2 * len(run.measurement.flow.flow_measures)
        assert row["metrics"] == {tag: (1, pytest.approx(value, rel=1e-6)) for tag, value in expected.items()}
    sparse = api_pb2.ColParams(hparam="score")
    sparse.filter_discrete.extend(["random"])
    assert list(Dashboard(tmp_path).rows(sparse)) == [specs[0].run_id]


# --- whole studies ----------------------------------------------------------------------------------------------

SMALL = {"epochs": 1, "image_size": 4, "train_size": 100, "batch_size": 50, "flow_epochs": 0}


@pytest.fixture
def _no_training(monkeypatch):
    """Executors begin every run, and train none."""

    def begin(prepared, data, progress):
        for spec in prepared.specs:
            RunLog(spec, RunFolder(prepared.study_dir, spec.run_id), prepared.options.tensorboard).start([])

    monkeypatch.setitem(EXECUTORS._loaded, "serial", begin)


@pytest.mark.usefixtures("_no_training")
def test_a_study_tells_tensorboard_its_columns_unless_it_writes_no_events(tmp_path):
    study = Study(name="tiny", title="Tiny", base=SMALL, width_fractions=(0.5,), seeds=(0, 1))
    silent = run_study(study, runs_dir=tmp_path / "silent", executor="serial", options=Options(tensorboard=False))
    assert not (silent / "events").exists()
    study_dir = run_study(study, runs_dir=tmp_path, executor="serial")
    assert domains(study_dir)[0]["seed"] == ["0", "1"]
    assert set(Dashboard(study_dir).rows()) == set(read_study(study_dir)["run_ids"])


@pytest.mark.usefixtures("_no_training")
def test_networks_that_join_a_study_join_its_columns(tmp_path):
    for seed in (0, 1):
        folder = run_network({**SMALL, "hidden_layers": 1, "seed": seed}, runs_dir=tmp_path)
    assert domains(folder.path.parent)[0] == {"seed": ["0", "1"]}


def test_launchers_ask_for_help_without_tensorboard():
    code = (
        "from keras_sparseflow.launchers import flags, terminal\n"
        "from keras_sparseflow.studies.presets import preset_table as presets\n"
        "flags.define_spec_flags(); flags.define_run_flags()\n"
        "import sys; print([name for name in sys.modules if name.startswith('tensorboard')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
