import base64
import gzip
import re

import pytest

from keras_sparseflow import records
from keras_sparseflow.launchers.report import watch
from tests.analysis.pairs import make_results, write_study

PLAIN = str.maketrans(",.:", "&<>")


@pytest.fixture
def study_dir(tmp_path):
    """A study of two runs, none of which is finished."""
    records.write_json(tmp_path / "study.json", {"name": "s", "run_ids": ["a", "b"], "runs_planned": 2})
    for run_id in ("a", "b"):
        (tmp_path / run_id).mkdir()
    return tmp_path


def test_a_watched_study_is_reported_whenever_runs_have_finished_until_all_have(study_dir, capsys, monkeypatch):
    left, reported = ["a", "b"], []

    def a_run_finishes(seconds):
        assert seconds == 3
        if left:
            (study_dir / left.pop(0) / "result.json").touch()

    monkeypatch.setattr("time.sleep", a_run_finishes)
    watch(study_dir, lambda: reported.append(2 - len(left)), pause=3)
    assert reported == [1, 2], "once for each, and never before there is one"
    assert capsys.readouterr().out == "1 of 2 runs are finished.\n2 of 2 runs are finished.\n"


def test_several_studies_are_compared_with_the_first(tmp_path, launch):
    for name, rate in (("a", 0.001), ("b", 0.1)):
        results = make_results(("adam",), ("NR",), (7,), (0, 1), learning_rate=rate)
        write_study(tmp_path / name, results.assign(run_id=name + results["run_id"]))
    done = launch("report", str(tmp_path / "a"), str(tmp_path / "b"))
    assert done.returncode == 0 and f"Report: {tmp_path}/a_and_b/report.html" in done.stdout, done.stderr
    assert "b compared with a" in (tmp_path / "a_and_b" / "report.html").read_text()
    refused = launch("report", str(tmp_path / "a"), str(tmp_path / "b"), "--watch")
    assert refused.returncode == 1 and "--watch and --measure are for one study" in refused.stderr


def test_a_study_is_exported_as_one_file_and_the_report_that_is_made_of_it(tmp_path, launch):
    write_study(tmp_path / "a", make_results(("adam",), ("NR",), (7,), (0, 1)))
    done = launch("report", str(tmp_path / "a"), f"--export={tmp_path}/kept", "--nofigures")
    assert done.returncode == 0, done.stderr
    packed = tmp_path / "kept" / "runs.npz"
    assert f"Rows: {packed} ({packed.stat().st_size:,} bytes)" in done.stdout
    assert f"Report: {tmp_path}/kept/report.html" in done.stdout and not (tmp_path / "a" / "report.html").exists()
    compressed = (tmp_path / "kept" / "report.html").read_text()
    (held,) = re.findall(r'id="compressed">([^<]*)<', compressed)
    again = launch("report", str(tmp_path / "kept"), "--nofigures", "--watch")
    page = (tmp_path / "kept" / "report.html").read_bytes()
    assert (
        again.returncode == 0
        and gzip.decompress(base64.b85decode(held.translate(PLAIN))) == page
        and len(compressed) < len(page) / 3
    )
    titles = [re.findall("<title>.*</title>", text) for text in (compressed, page.decode())]
    assert titles[0] == titles[1] and len(titles[0]) == 1
    checked = launch("check", str(tmp_path / "kept"))
    assert (checked.returncode, checked.stdout) == (0, "4 packed runs are whole.\n")


@pytest.mark.parametrize("other", ["--watch", "--output_dir=elsewhere", "runs/b"])
def test_an_export_is_of_one_study_alone(tmp_path, launch, other):
    refused = launch("report", str(tmp_path), f"--export={tmp_path}/kept", other)
    assert refused.returncode == 1 and "--export is for one study" in refused.stderr
