"""Packed studies: all rows of a study in one small file, which is read as the study itself."""

import json

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow import records
from keras_sparseflow.analysis.report.writing import write_report
from keras_sparseflow.records import packed
from keras_sparseflow.records.row_cache import Rows
from keras_sparseflow.records.study_file import packed_file
from tests.analysis.pairs import make_flow, make_results, write_study

READS = [
    records.read_results,
    records.read_history,
    records.read_flow,
    records.read_diagnostics,
    records.read_landscape,
]


def flow_of_both_readings(results):
    """Returns rows of flow of two measures, by both readings."""
    ends = make_flow(results, epochs=(0, 14, 29))
    steps = ends.assign(reading="steps", value=ends["value"] * 1.1)
    both = pd.concat([ends, steps], ignore_index=True)
    return pd.concat([both, both.assign(measure="grad_norm_1", value=both["value"] * 7)], ignore_index=True)


@pytest.fixture
def study_dir(tmp_path):
    results = make_results(("adam",), widths=(7, 34), seeds=(0, 1))
    write_study(tmp_path / "study", results, flow_of_both_readings(results), measure="egf_2")
    return tmp_path / "study"


def same_frame(frame, other):
    pd.testing.assert_frame_equal(frame, other, check_exact=True)
    assert frame.attrs == other.attrs


def test_a_packed_study_gives_every_row_to_the_last_bit(study_dir, tmp_path):
    path = records.pack_study(study_dir, tmp_path / "packed", every_layer=True)
    assert path == tmp_path / "packed" / "runs.npz" == packed_file(tmp_path / "packed")
    assert [each.name for each in (tmp_path / "packed").iterdir()] == ["runs.npz"]
    for read in READS:
        same_frame(read(tmp_path / "packed"), read(study_dir))
    assert records.read_study(tmp_path / "packed") == records.read_study(study_dir)
    assert records.damaged_runs(tmp_path / "packed") == {}


def test_flow_of_single_layers_is_kept_of_the_measure_and_reading_that_a_report_shows(study_dir, tmp_path):
    records.pack_study(study_dir, tmp_path / "packed")
    whole, kept = (records.read_flow(folder) for folder in (study_dir, tmp_path / "packed"))
    shown = (whole["layer"] == "total") | ((whole["measure"] == "egf_2") & (whole["reading"] == "end"))
    assert 0 < shown.sum() < len(whole)
    same_frame(kept, whole[shown].reset_index(drop=True))


def test_a_report_of_a_packed_study_is_that_of_the_study_file_by_file(study_dir, tmp_path):
    records.pack_study(study_dir, tmp_path / "packed")
    for folder in ("study", "packed"):
        write_report(tmp_path / folder, tmp_path / f"report_of_{folder}")
    files = {
        folder: {
            path.relative_to(tmp_path / folder): path.read_bytes()
            for path in sorted((tmp_path / folder).rglob("*"))
            if path.suffix in (".html", ".csv", ".md", ".tex", ".svg")
        }
        for folder in ("report_of_study", "report_of_packed")
    }
    assert len(files["report_of_study"]) > 8
    assert files["report_of_packed"] == files["report_of_study"]


def test_a_study_that_is_there_itself_goes_before_its_packed_rows(study_dir):
    records.pack_study(study_dir, study_dir)
    assert packed_file(study_dir) is None


def test_the_same_rows_are_the_same_file_and_smaller_than_those_of_the_runs(study_dir, tmp_path):
    first, second = (records.pack_study(study_dir, tmp_path / name, every_layer=True) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < sum(path.stat().st_size for path in study_dir.rglob("*.*")) / 4


def test_the_revisions_of_the_plan_are_kept(study_dir, tmp_path):
    records.write_json(study_dir / "plan.json", {"revisions": ["Planned first.", "Planned anew."]})
    records.pack_study(study_dir, tmp_path / "packed")
    assert records.read_revisions(tmp_path / "packed") == ["Planned first.", "Planned anew."]


def test_runs_that_are_not_finished_are_not_packed(study_dir, tmp_path):
    run_id = records.read_study(study_dir)["run_ids"][0]
    (study_dir / run_id / "result.json").unlink()
    records.pack_study(study_dir, tmp_path / "packed")
    same_frame(records.read_results(tmp_path / "packed"), records.read_results(study_dir))
    assert run_id not in set(records.read_results(tmp_path / "packed")["run_id"])


def test_a_damaged_run_is_not_packed_in_silence(study_dir, tmp_path):
    run_id = records.read_study(study_dir)["run_ids"][0]
    with open(study_dir / run_id / "flow.csv", "ab") as file:
        file.write(b"1")
    with pytest.raises(ValueError, match=rf"{run_id}/flow\.csv: expected the digest"):
        records.pack_study(study_dir, tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def test_a_study_without_a_finished_run_is_refused(tmp_path):
    records.write_json(tmp_path / "study.json", {"run_ids": ["a"]})
    with pytest.raises(ValueError, match="no finished run to pack"):
        records.pack_study(tmp_path, tmp_path / "packed")


def test_a_damaged_file_is_named_wherever_it_is_damaged(study_dir, tmp_path):
    path = records.pack_study(study_dir, tmp_path)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    good = [read(tmp_path) for read in READS]
    broken = [b"", b"PK", content[:-1], content[: len(content) // 2], b"x" * 1000]
    broken += [
        content[:place] + bytes([content[place] ^ 1 << rng.integers(8)]) + content[place + 1 :]
        for place in rng.integers(len(content), size=20)
    ]
    named = []
    for each in broken:
        path.write_bytes(each)
        try:
            for read, before in zip(READS, good, strict=True):
                same_frame(read(tmp_path), before)
        except ValueError as error:
            assert str(error).startswith(f"{path} is corrupt: expected a packed study")
            named.append(each)
    assert named[:5] == broken[:5] and len(named) >= 12, "the rest hit a time or a comment, which changes no row"


def test_another_format_is_refused(study_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "FORMAT", 2)
    records.pack_study(study_dir, tmp_path)
    with pytest.raises(ValueError, match="expected format 1; received 2"):
        records.read_study(tmp_path)


@pytest.mark.parametrize(
    "values",
    [
        np.array([0.4988, 1.0, 0.0, 0.1], np.float32),
        np.array([0.33335, 0.2], np.float32),
        np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3e38], np.float32),
        np.array([-0.0, 0.5], np.float32),
        np.array([0.1, 1 / 3, 1e300]),
        np.array([], float),
        np.arange(300),
        np.array([-1, 5]),
    ],
)
def test_every_number_comes_back_to_the_last_bit(values):
    wide = values.astype(float) if values.dtype.kind == "f" else values.astype(np.int64)
    again = packed._numbers(packed._planes(wide)).astype(wide.dtype)
    assert again.tobytes() == wide.tobytes()


def test_shares_of_few_images_take_two_bytes_and_other_numbers_four():
    shares, others = np.arange(1000) / 10_000, np.random.default_rng(0).random(1000).astype(np.float32).astype(float)
    sizes = [len(packed._planes(values.astype(np.float32).astype(float))) for values in (shares, others)]
    assert sizes == [2002, 4002]


def test_rows_of_flow_without_the_end_are_thinned_by_their_steps():
    frame = pd.DataFrame(
        [(0, "steps", "egf_2", "a", 1.0), (0, "steps", "egf_2", "total", 2.0), (0, "steps", "egf_1", "a", 3.0)],
        columns=records.FLOW_COLUMNS,
    )
    kept = packed.thinned(Rows(["r"], np.array([3]), frame), "egf_2")
    assert kept.frame["value"].tolist() == [1.0, 2.0] and kept.counts.tolist() == [2]


def test_a_report_is_exported_with_the_rows_behind_it(study_dir, tmp_path):
    records.pack_study(study_dir, tmp_path / "packed")
    write_report(tmp_path / "packed", figures=False)
    assert {path.name for path in (tmp_path / "packed").iterdir()} == {
        "runs.npz", "report.html", "report", ".report.json"
    }  # fmt: skip
    assert json.loads((tmp_path / "packed" / ".report.json").read_text())["files"]
