"""ToST's section 3.4 beside ours: which runs are compared, and with what."""

import math

import pandas as pd
import pytest

from keras_sparseflow.analysis.published.tost_ghosts import beside_published_ghosts, load_tost_ghosts

SECTION = {"published": {"table": "3.4"}}
SCHEDULES = {"default": ("cosine", 0.5), "later": ("cosine", 0.75), "at once": ("abrupt", 0.95), "kept": ("none", None)}


def _runs(*rows):
    columns = ["tweaks", "density", "seed", "schedule", "test_accuracy"]
    frame = pd.DataFrame(rows, columns=columns).assign(method="lottery", score="random", diverged=False)
    decays, ends = zip(*frame.pop("schedule").map(SCHEDULES), strict=True)
    return frame.assign(ghost_decay=decays, ghost_until=pd.Series(ends, dtype=float))


def test_the_numbers_are_those_of_the_text():
    published = load_tost_ghosts()
    assert published[["tweak", "schedule", "change"]].to_numpy().tolist() == [
        ["gsk", "fading later", -0.917], ["gsw", "fading later", -0.429],
        ["gsk", "removed at once", -1.2], ["gsw", "removed at once", -1.2],
    ]  # fmt: skip
    assert published["bound"].fillna("").tolist() == ["", "", "below", "below"]


def test_each_run_is_beside_that_of_its_seed_whose_ghosts_fade_before_the_decay():
    runs = _runs(
        ("GSk", 0.05, 0, "default", 0.70), ("GSk", 0.05, 1, "default", 0.60), ("GSk", 0.05, 2, "default", 0.50),
        ("GSk", 0.05, 0, "later", 0.69), ("GSk", 0.05, 1, "later", 0.57),
        ("GSk", 0.05, 0, "at once", 0.50), ("GSk", 0.05, 1, "kept", 0.61),
        ("GSw", 0.05, 0, "default", 0.70), ("GSw", 0.05, 0, "later", 0.71),
        ("GSk", 0.2, 0, "default", 0.70), ("GSk", 0.2, 0, "later", 0.70),
        ("none", 0.05, 0, "default", 0.1), ("none", 0.05, 0, "later", 0.2),
    )  # fmt: skip
    table = beside_published_ghosts(runs, SECTION)
    assert table[["density", "tweaks", "schedule", "n"]].to_numpy().tolist() == [
        [0.05, "GSk", "staying", 1], [0.05, "GSk", "fading later", 2], [0.05, "GSk", "removed at once", 1],
        [0.05, "GSw", "fading later", 1], [0.2, "GSk", "fading later", 1],
    ]  # fmt: skip
    assert table["mean"].tolist() == pytest.approx([1, -2, -20, 1, 0]) and (table["mask"] == "lth").all()
    assert table["std"][1] == pytest.approx(math.sqrt(2))
    published = table["published"].tolist()
    assert published[1:4] == [-0.917, -1.2, -0.429] and all(map(math.isnan, (published[0], published[4])))
    assert table["bound"].tolist() == ["", "", "below", "", ""]


def test_diverged_runs_and_other_studies_have_no_rows():
    runs = _runs(("GSk", 0.05, 0, "default", 0.7), ("GSk", 0.05, 0, "later", 0.6))
    assert len(beside_published_ghosts(runs, SECTION)) == 1
    assert beside_published_ghosts(runs.assign(diverged=[True, False]), SECTION).empty
    for study in ({}, {"published": {"table": "4"}}):
        assert beside_published_ghosts(runs, study).empty
    assert beside_published_ghosts(runs.drop(columns="ghost_decay"), SECTION).empty
