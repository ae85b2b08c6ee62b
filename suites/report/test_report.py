"""Whole reports of pairs with every figure drawn, and what a fresh process must not load for them."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.report.writing import write_report
from tests.analysis.pages import Page, check_alone, check_links, page_of

FLOW = ["grad_norm_1", "grad_norm_2", "egf_1", "egf_2"]
LARGEST = 2_000_000


@pytest.fixture(scope="module")
def study(tmp_path_factory, make_results, make_flow, write_study):
    """A whole study with diverged runs, its report and its page; not to be changed."""
    results = make_results()
    results.loc[[3, 50, 51], "diverged"] = True
    results.loc[3, ["test_accuracy", "test_loss", "egf_2"]] = np.nan
    flow = make_flow(results, epochs=(0, 14, 29))
    folder = write_study(tmp_path_factory.mktemp("runs") / "study", results, flow, runs_planned=122)
    path = write_report(folder)
    return folder, path, Page(path.read_text())


def titles(page):
    return [attrs["aria-label"] for attrs, _ in page.find("svg")]


def test_every_link_leads_somewhere_and_the_page_needs_nothing_but_itself(study):
    folder, path, page = study
    check_links(page, folder)
    check_alone(page, path.read_text())
    assert path.stat().st_size < LARGEST and not list(folder.rglob("*.tmp"))


def test_each_figure_has_a_title_of_its_own_and_is_there_as_png_and_svg(study):
    folder, _, page = study
    assert len(titles(page)) == len(set(titles(page))) >= 11
    links = [link for link in page.links if "/figures/" in link]
    files = sorted(str(path.relative_to(folder)) for path in (folder / "report" / "figures").iterdir())
    assert sorted(links) == files and {file.rpartition(".")[2] for file in files} == {"png", "svg"}
    assert len(files) >= 2 * 11


def test_flow_and_accuracy_are_both_drawn(study):
    flow = [title for title in titles(study[2]) if "EGF (2-norm)" in title]
    accuracy = [title for title in titles(study[2]) if "ccuracy" in title]
    assert len(flow) >= 6 and len(accuracy) >= 4
    assert any("p-value" in title for title in titles(study[2]))


def test_the_same_study_gives_the_same_files(tmp_path, make_results, write_study):
    results = make_results(("adam",), ("NR",), widths=(7, 20)).drop(columns=FLOW)  # whose figures take time
    folder = write_study(tmp_path / "study", results)
    path = write_report(folder)
    assert write_report(folder, tmp_path / "elsewhere").read_text() == path.read_text()
    files = sorted(file.relative_to(folder) for file in (folder / "report").rglob("*") if file.is_file())
    assert {file.suffix for file in files} == {".csv", ".md", ".tex", ".png", ".svg"}
    for file in files:
        assert (tmp_path / "elsewhere" / file).read_bytes() == (folder / file).read_bytes(), file


def test_each_dataset_has_figures_of_its_own(tmp_path, make_results, write_study, unrendered):
    parts = [make_results(("adam",), widths=(7, 20)).assign(dataset=name) for name in ("digits", "cifar10")]
    parts[1]["run_id"] += "-cifar10"
    both = write_study(tmp_path / "both", pd.concat(parts, ignore_index=True))
    one = write_study(tmp_path / "one", parts[0])
    assert len(titles(page_of(both))) > len(titles(page_of(one))) > 0


@pytest.mark.parametrize(
    ("name", "drawn"), [("one arm", True), ("no flow", True), ("one pair", True), ("all diverged", False)]
)
def test_odd_studies_have_the_figures_that_they_can_have(
    name, drawn, tmp_path, make_results, make_flow, write_study, unrendered
):
    results = make_results(("adam",), ("NR",), widths=(7, 20))
    odd = {
        "one arm": results[results["arm"] == "dense"],
        "no flow": results.drop(columns=FLOW),
        "one pair": results.iloc[:2],
        "all diverged": results.assign(diverged=True, test_accuracy=np.nan, test_loss=np.nan, egf_2=np.nan),
    }[name].reset_index(drop=True)
    page = page_of(write_study(tmp_path / "study", odd, None if name == "no flow" else make_flow(odd, epochs=(0, 9))))
    assert bool([title for title in titles(page) if "ccuracy" in title]) == drawn
    assert bool([title for title in titles(page) if "EGF" in title]) == (drawn and name != "no flow")


def test_a_study_can_be_reported_by_loss_and_another_measure(
    tmp_path, make_results, make_flow, write_study, unrendered
):
    results = make_results(("adam",), ("BN",))
    flow = make_flow(results).assign(measure="egf_1")
    page = page_of(write_study(tmp_path / "study", results, flow), value="test_loss", measure="egf_1")
    named = " ".join(titles(page))
    assert re.search("test loss", named, re.IGNORECASE) and not re.search("accuracy", named, re.IGNORECASE)
    assert "EGF (1-norm)" in named and "EGF (2-norm)" not in named


def test_analysis_needs_neither_tensorflow_nor_keras(tmp_path, make_results, write_study):
    folder = write_study(tmp_path / "study", make_results(("adam",), ("NR",), widths=(7, 20)))
    code = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
import keras_sparseflow.analysis as analysis
assert not {"scipy", "matplotlib", "jinja2", "pandas"} & set(sys.modules), "imports are not lazy"
for name in analysis.__all__:
    getattr(analysis, name)
analysis.write_report(sys.argv[1], sys.argv[2], figures=False)
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(folder), str(tmp_path)], check=True)
    assert (tmp_path / "report.html").is_file()


def test_an_unknown_name_of_the_room_is_an_attribute_error():
    from keras_sparseflow import analysis

    assert {"write_report", "compare_arms"} <= set(dir(analysis))
    with pytest.raises(AttributeError, match="attribute wilcoxon"):
        _ = analysis.wilcoxon
