"""The HParams dashboard's summaries, as TensorBoard's own backend reads them."""

import pytest
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from keras_sparseflow.training.tensorboard.hparams import MAX_LISTED, experiment, session_end, session_start
from keras_sparseflow.training.tensorboard.scalars import ScalarWriter
from tests.training.dashboard import Dashboard, values

BOOL, NUMBER, TEXT = api_pb2.DATA_TYPE_BOOL, api_pb2.DATA_TYPE_FLOAT64, api_pb2.DATA_TYPE_STRING


@pytest.fixture
def write(tmp_path):
    """Appends summaries, and dicts of scalars, to the events of a run."""
    writers = {}

    def write(run, *items):
        writer = writers.setdefault(run, ScalarWriter(str(tmp_path / run)))
        for item in items:
            writer.write(0, item) if isinstance(item, dict) else writer.write_summary(item)

    yield write
    for writer in writers.values():
        writer.close()


def columns(tmp_path, write, hparams, metrics=None, descriptions=None):
    write("study", experiment(hparams, metrics or {}, descriptions))
    return Dashboard(tmp_path).experiment()


def test_a_run_is_a_row_with_its_hyperparameters_its_status_and_the_metrics_of_the_experiment(tmp_path, write):
    write("study", experiment({"rate": [0.1, 1], "arm": ["sparse"], "on": [True]}, {"metrics/loss": "loss"}))
    write("a/events", session_start("a", {"rate": 0.1, "arm": "sparse", "on": True}), {"metrics/loss": 2.0, "x": 7.0})
    write("a/events", session_end(success=True))
    write("b/events", session_start("b", {"rate": 1}), {"x": 8.0}, session_end(success=False))
    assert Dashboard(tmp_path).rows() == {
        "a": {
            "run": "a/events", "status": "STATUS_SUCCESS", "metrics": {"metrics/loss": (0, 2.0)},
            "hparams": {"rate": 0.1, "arm": "sparse", "on": True},
        },
        "b": {"run": "b/events", "status": "STATUS_FAILURE", "metrics": {}, "hparams": {"rate": 1.0}},
    }  # fmt: skip


def test_a_run_without_an_end_gets_its_status_when_it_ends_while_tensorboard_runs(tmp_path, write):
    write("a", session_start("a", {"rate": 0.1}), {"loss": 2.0})
    dashboard = Dashboard(tmp_path)
    assert dashboard.rows()["a"]["status"] == "STATUS_UNKNOWN"
    write("a", session_end(success=True))
    dashboard.reload()
    assert dashboard.rows()["a"]["status"] == "STATUS_SUCCESS"


def test_start_and_end_have_their_times(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1234567890.5)
    start, end = (plugin_data(summary) for summary in (session_start("a", {"rate": 0.1}), session_end(success=True)))
    assert start.session_start_info.start_time_secs == end.session_end_info.end_time_secs == 1234567890.5


def plugin_data(summary):
    return HParamsPluginData.FromString(summary.value[0].metadata.plugin_data.content)


# --- columns ----------------------------------------------------------------------------------------------------


def test_metrics_are_columns_in_the_order_given_and_no_other_scalar_is(tmp_path, write):
    write("a", session_start("a", {"rate": 0.1}), {"flow/egf_2/hidden_1": 1.0, "metrics/loss": 1.0})
    found = columns(tmp_path, write, {"rate": [0.1]}, {"metrics/loss": "loss", "flow/egf_2/total": "egf_2"})
    assert [(info.name.tag, info.name.group, info.display_name) for info in found.metric_infos] == [
        ("metrics/loss", "", "loss"), ("flow/egf_2/total", "", "egf_2"),
    ]  # fmt: skip


def test_columns_have_type_domain_and_whether_they_differ(tmp_path, write):
    found = columns(
        tmp_path, write, {"rate": [1, 0.5, 1], "arm": ["sparse", "dense"], "on": [False, True], "seed": [3, 3]}
    )
    shown = {info.name: (info.type, values(info.domain_discrete), info.differs) for info in found.hparam_infos}
    assert shown == {
        "rate": (NUMBER, [0.5, 1.0], True),
        "arm": (TEXT, ["dense", "sparse"], True),
        "on": (BOOL, [False, True], True),
        "seed": (NUMBER, [3.0], False),
    }


@pytest.mark.parametrize(("count", "listed"), [(MAX_LISTED, True), (MAX_LISTED + 1, False)])
def test_many_numbers_are_an_interval_and_many_texts_are_listed(tmp_path, write, count, listed):
    numbers = list(range(10, 10 + count))
    found = columns(tmp_path, write, {"seed": numbers, "name": [f"{number}" for number in numbers]})
    name, seed = sorted(found.hparam_infos, key=lambda info: info.name)
    assert values(name.domain_discrete) == [f"{number}" for number in numbers]
    if listed:
        assert values(seed.domain_discrete) == numbers and not seed.HasField("domain_interval")
    else:
        assert (seed.domain_interval.min_value, seed.domain_interval.max_value) == (10.0, 9.0 + count)
        assert not seed.HasField("domain_discrete")


def test_descriptions_go_with_their_hyperparameter(tmp_path, write):
    found = columns(tmp_path, write, {"rate": [0.1], "seed": [0]}, descriptions={"rate": "of learning"})
    assert {info.name: info.description for info in found.hparam_infos} == {"rate": "of learning", "seed": ""}


def test_a_filter_on_listed_numbers_selects_rows(tmp_path, write):
    write("study", experiment({"seed": [0, 1]}, {}))
    for seed in range(2):
        write(f"run_{seed}", session_start(f"run_{seed}", {"seed": seed}))
    column = api_pb2.ColParams(hparam="seed")
    column.filter_discrete.extend([1.0])
    assert list(Dashboard(tmp_path).rows(column)) == ["run_1"]


@pytest.mark.parametrize(
    ("given", "found"),
    [([], "no value"), ([1, "a"], "float, str"), ([True, 1.5], "bool, float"), ([None], "NoneType")],
    ids=str,
)
def test_values_that_are_not_of_one_type_are_refused(given, found):
    with pytest.raises(ValueError, match=f"`hparams` must give 'x' values of one type.*; received {found}"):
        experiment({"x": given}, {})


@pytest.mark.parametrize("value", [None, (1, 2)], ids=str)
def test_a_value_that_a_row_cannot_show_is_refused(value):
    with pytest.raises(TypeError, match="'x'"):
        session_start("a", {"x": value})
