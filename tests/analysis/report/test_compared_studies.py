"""Studies side by side: which networks match, what differs between the studies, and the page that says so."""

import re

import pandas as pd
import pytest
from scipy import stats

from keras_sparseflow.analysis.frames.formats import format_interval
from keras_sparseflow.analysis.report.compared_studies import compare_studies, write_comparison
from keras_sparseflow.analysis.statistics.verdicts import NO_DIFFERENCE, TOO_FEW, YES
from tests.analysis.densities import make_densities, write_densities
from tests.analysis.pages import Page, check_alone, check_links
from tests.analysis.pairs import redrawn
from tests.analysis.sources import first_screen


@pytest.fixture
def two(tmp_path, make_results, write_study):
    """Writes two studies, the second of another batch size and better under BN alone; returns folders and results."""
    first = redrawn(make_results(("adam",)), seed=1)
    second = redrawn(make_results(("adam",), batch_size=32), seed=2)
    second["test_accuracy"] += 0.05 * (second["variant"] == "BN")
    second["run_id"] += "-b"
    folders = [write_study(tmp_path / name, runs) for name, runs in (("a", first), ("b", second))]
    return folders, [first, second]


def test_matching_configurations_are_tested_in_pairs(two):
    folders, (first, second) = two
    table = compare_studies(folders)
    assert set(table["study"]) == {"b"} and set(table["reference"]) == {"a"}
    assert len(table) == 4 and set(table["pairs"]) == {15}, "variants and arms, over widths and seeds"
    normed = table["configuration"].str.contains("BN")
    assert set(table.loc[normed, "verdict"]) == {YES} and set(table.loc[~normed, "verdict"]) == {NO_DIFFERENCE}
    one = table[normed & table["configuration"].str.contains("sparse")].iloc[0]
    ours, theirs = (
        runs[(runs["variant"] == "BN") & (runs["arm"] == "sparse")].sort_values(["dense_width", "seed"])[
            "test_accuracy"
        ]
        for runs in (second, first)
    )
    assert one["p_two_sided"] == pytest.approx(stats.wilcoxon(ours.to_numpy(), theirs.to_numpy()).pvalue)
    assert one["mean"] == pytest.approx((ours.to_numpy() - theirs.to_numpy()).mean())


def test_what_differs_between_the_studies_is_listed(two):
    differences = compare_studies(two[0]).attrs["differences"]
    assert differences.to_dict("records") == [{"choice": "batch_size", "a": "128", "b": "32"}]


def test_the_page_has_answer_table_and_differences(two):
    path = write_comparison(two[0])
    assert path.parent.parent == two[0][0].parent and path.name == "report.html"
    page = Page(path.read_text())
    check_links(page, path.parent)
    check_alone(page, path.read_text())
    answer = page.text("section", id="answer")
    assert "2 configurations better" in answer and "2 configurations without a difference" in answer
    better = compare_studies(two[0]).query("verdict == 'yes'").iloc[0]
    assert f"95% interval {format_interval(better['low'], better['high'])}" in answer
    assert "batch_size" in page.text("table", id="study-differences")
    assert page.find("svg")[0][0]["aria-label"] == "Effects: b minus a"
    assert {"adam", "sparse", "15"} & set(re.findall(r"\w+", page.find("svg")[0][1])) >= {"sparse", "15"}
    written = pd.read_csv(path.parent / "report" / "comparison.csv")
    assert written["p_value"].tolist() == pytest.approx(compare_studies(two[0])["p_value"].tolist(), rel=1e-12)


def test_several_differences_are_a_warning(tmp_path, make_results, write_study):
    runs = make_results(("adam",), ("NR",), widths=(7,))
    other = make_results(("adam",), ("NR",), widths=(7,), batch_size=32, epochs=60)
    folders = [write_study(tmp_path / name, frame) for name, frame in (("a", runs), ("b", other))]
    page = Page(write_comparison(folders, tmp_path / "out").read_text())
    warned = page.text("section", id="warnings")
    assert "2 choices" in warned and "batch_size" in warned and "epochs" in warned
    assert "unequal numbers of epochs, earlier rounds of tickets included: a 30, b 60" in warned
    answer, table = page.text("section", id="answer"), compare_studies(folders)
    assert "too few pairs" in answer and set(table["verdict"]) == {TOO_FEW}
    assert all(reason in answer and re.search(r"\d+ pairs", reason) for reason in table["reason"])


def test_epochs_of_networks_that_do_not_match_are_no_warning(tmp_path, make_results, write_study):
    runs = make_results(("adam",), ("NR",), widths=(7, 20))
    longer = runs.assign(epochs=60, run_id=runs["run_id"] + "-long")
    both = pd.concat([runs, longer], ignore_index=True).assign(batch_size=32)
    page = Page(write_comparison([write_study(tmp_path / n, r) for n, r in (("a", runs), ("b", both))]).read_text())
    assert not [text for _, text in page.find("li") if text.startswith("The studies' networks were not")]


def test_each_study_has_the_warnings_of_its_own_report(two, tmp_path, write_study):
    folders, (first, second) = two
    lost = first.assign(diverged=first.index == 3)
    data = {"data": {"classes": 10, "test_images": 360}, "runs_planned": len(first)}
    folders[0] = write_study(tmp_path / "lost" / "a", lost, **data)
    folders[1] = write_study(
        tmp_path / "chance" / "b", second.assign(test_accuracy=0.1), **{**data, "runs_planned": 70}
    )
    page = Page(write_comparison(folders, tmp_path / "out").read_text())
    said = [text for _, text in page.find("li")]
    for name, results, study in (
        ("a", lost, data),
        ("b", second.assign(test_accuracy=0.1), {**data, "runs_planned": 70}),
    ):
        _, _, own = first_screen(results, study)
        assert own and [text.removeprefix(f"{name}: ") for text in said if text.startswith(f"{name}: ")] == own
    assert any(re.match("a: 1 run diverged", text) for text in said)
    assert any(re.match("b: 60 of 60 runs did not learn", text) for text in said)
    assert any(re.match("b: 60 of 70 runs are finished", text) for text in said)


@pytest.mark.parametrize("how", ["worst", "drop"])
def test_diverged_runs_are_counted_in_the_table(two, how, tmp_path, write_study):
    folders, (first, _) = two
    lost = first["variant"].eq("BN") & first["arm"].eq("dense") & (first["dense_width"] < 10)
    folders[0] = write_study(tmp_path / "lost" / "a", first.assign(diverged=lost))
    table = compare_studies(folders, diverged=how).set_index("configuration")
    (configuration,) = [name for name in table.index if "BN" in name and "dense" in name]
    assert table["diverged"].to_dict() == {name: 3 * (name == configuration) for name in table.index}
    assert table.loc[configuration, "pairs"] == (15 if how == "worst" else 12)
    page = Page(write_comparison(folders, tmp_path / "out", diverged=how).read_text())
    assert "3" in [text for _, text in page.find("td")] and "runs that diverged" in page.text("table", id="comparison")


def test_densities_are_compared_over_densities_and_seeds(tmp_path):
    settings = (("sgd",), ("NR",), (0.1, 0.2, 0.5, 1.0), (0, 1, 2), ("random",))
    runs, other = make_densities(*settings), make_densities(*settings, batch_size=64)
    other["test_accuracy"] += 0.01
    folders = [write_densities(tmp_path / name, frame) for name, frame in (("a", runs), ("b", other))]
    (row,) = compare_studies(folders).to_dict("records")
    assert (row["pairs"], row["verdict"]) == (12, YES) and row["difference"] == pytest.approx(0.01)


def test_wrong_studies_are_refused(tmp_path, make_results, write_study):
    folder = write_study(tmp_path / "a", make_results(("adam",), ("NR",), widths=(7,)))
    with pytest.raises(ValueError, match="two or more studies of different names; received a"):
        compare_studies([folder])
    with pytest.raises(ValueError, match="of different names"):
        compare_studies([folder, folder])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        compare_studies([folder, tmp_path / "nowhere"])
    others = make_results(("adam",), ("NR",), widths=(20, 34))
    other = write_study(tmp_path / "b", others)
    with pytest.raises(ValueError, match="none matches"):
        compare_studies([folder, other])
