"""Studies side by side: which networks match, what differs between the studies, and the page that says so."""

import pandas as pd
import pytest
from scipy import stats

from keras_sparseflow.analysis.report.compared_studies import compare_studies, write_comparison
from keras_sparseflow.analysis.statistics.verdicts import NO_DIFFERENCE, TOO_FEW, YES
from tests.analysis.densities import make_densities, write_densities
from tests.analysis.pages import Page, check_alone, check_links
from tests.analysis.pairs import redrawn


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
    assert "batch_size" in page.text("table", id="study-differences") and not page.find("section", id="warnings")
    written = pd.read_csv(path.parent / "report" / "comparison.csv")
    assert written["p_value"].tolist() == pytest.approx(compare_studies(two[0])["p_value"].tolist(), rel=1e-12)


def test_several_differences_are_a_warning(tmp_path, make_results, write_study):
    runs = make_results(("adam",), ("NR",), widths=(7,))
    other = make_results(("adam",), ("NR",), widths=(7,), batch_size=32, epochs=60)
    folders = [write_study(tmp_path / name, frame) for name, frame in (("a", runs), ("b", other))]
    page = Page(write_comparison(folders, tmp_path / "out").read_text())
    warned = page.text("section", id="warnings")
    assert "2 choices" in warned and "batch_size" in warned and "epochs" in warned
    assert "too few pairs" in page.text("section", id="answer")
    assert set(compare_studies(folders)["verdict"]) == {TOO_FEW}


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
