"""Reports as files: the page and its tables, odd studies, and what is refused without a file written."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow import records
from keras_sparseflow.analysis.frames.study_source import read_source
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.writing import write_report
from keras_sparseflow.analysis.statistics.paired_tests import compare_arms, compare_densities
from tests.analysis.densities import make_densities, make_density_flow, with_tweaks, write_densities
from tests.analysis.pages import Page, check_alone, check_links, page_of
from tests.analysis.sources import first_screen

FLOW = ["grad_norm_1", "grad_norm_2", "egf_1", "egf_2"]

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def study(tmp_path_factory, make_results, make_flow, write_study):
    """A whole study with diverged runs, its report and its page; not to be changed."""
    results = make_results()
    results.loc[[3, 50, 51], "diverged"] = True
    results.loc[3, ["test_accuracy", "test_loss", "egf_2"]] = np.nan
    flow = make_flow(results, epochs=(0, 14, 29))
    folder = write_study(tmp_path_factory.mktemp("runs") / "study", results, flow, runs_planned=122)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StudyNumbers, "drawings", lambda self, *sections: [])
        path = write_report(folder)
    return folder, results, path, Page(path.read_text())


def _files(folder, *endings):
    return {path.name for path in (folder / "report").iterdir() if path.suffix in endings}


def test_a_report_stands_in_the_studys_folder_with_its_tables(study):
    folder, _, path, _ = study
    assert path == folder / "report.html"
    printed = {f"{name}.{ending}" for name in ("p_values", "means", "correlations") for ending in ("md", "tex")}
    assert printed <= _files(folder, ".md", ".tex")
    assert {"p_values.csv", "means.csv", "correlations.csv"} <= _files(folder, ".csv")
    assert len(list((folder / "report").glob("pairs_*.csv"))) == 4
    assert not list(folder.rglob("*.tmp"))


def test_tables_hold_full_precision(study):
    folder, results, _, _ = study
    written, expected = pd.read_csv(folder / "report" / "p_values.csv"), compare_arms(results)
    both = written.merge(expected, on=["optimizer", "variant"], suffixes=("", "_expected"))
    assert len(both) == 4
    for column in ("p_value", "p_holm", "difference", "low", "high"):
        assert both[column].tolist() == pytest.approx(both[f"{column}_expected"].tolist(), rel=1e-14)


def test_every_link_leads_somewhere_and_ids_are_there_once(study):
    folder, _, _, page = study
    check_links(page, folder)
    assert len([link for link in page.links if "/pairs_" in link]) == 4


def test_the_page_needs_nothing_but_itself_and_has_a_dark_and_a_printed_form(study):
    check_alone(study[3], study[2].read_text())
    style = " ".join(text for _, text in study[3].find("style"))
    assert "prefers-color-scheme: dark" in style and "@media print" in style


def test_the_contents_name_every_section_in_its_order(study):
    page = study[3]
    nav = page.elements[[tag for tag, _, _ in page.elements].index("nav") :]
    listed = [attrs["href"][1:] for tag, attrs, _ in nav if tag == "a"][: len(page.sections) + 1]
    assert listed[1:] == page.sections
    assert page.sections[0] == "p_values" and {"claims", "correlations", "means", "diverged", "made"} <= set(
        page.sections
    )


def test_the_first_screen_is_answer_and_warnings_of_the_numbers(study):
    folder, _, _, page = study
    source = read_source(folder, "test_accuracy", None, "worst", figures=False)
    _, answer, warnings = first_screen(source.results, source.study, flow=source.flow, history=source.history)
    assert page.text("section", id="answer") == " ".join(answer)
    assert [text for _, text in page.find("li")] == warnings
    assert any(text.startswith("120 of 122 runs are finished") for text in warnings)
    assert any(text.startswith("3 runs diverged") for text in warnings)


def test_p_values_of_the_page_sort_by_their_number_and_significant_ones_are_bold(study):
    _, results, _, page = study
    shown = [attrs for attrs, _ in page.find("td", class_="filled")]
    expected = compare_arms(results)["p_value"]
    assert sorted(float(attrs["data-sort"]) for attrs in shown) == pytest.approx(sorted(expected))
    for attrs in shown:
        assert ("bold" in attrs["class"].split()) == (float(attrs["data-sort"]) < 0.05)
        assert re.search("background:#[0-9a-f]{6}", attrs["style"])


def test_choices_cost_and_command_are_in_the_page(study):
    page = study[3]
    text = page.text("main", id="top")
    assert "batch_size 128 images a step the paper is silent loss none" in page.text("table", id="choice-table")
    assert "python launchers/scsdc.py --preset=demo" in text and "120 of 122 planned" in text
    assert "keras 3.12" in text and "machine: cpu 2 cores" in text


def test_text_is_escaped(study):
    _, _, path, page = study
    assert page.text("h1") == page.text("title") == "Sparse <b> dense & digits"
    assert "<b> dense" not in path.read_text()


def test_abbreviations_are_explained_where_they_stand_and_in_a_legend(study):
    page = study[3]
    explained = {text for _, text in page.find("abbr")}
    assert {"NR", "BN", "EGF"} <= explained
    assert {"NR", "BN"} <= {text for _, text in page.find("dt")} and "BatchNorm" in page.text("section", id="legend")


def test_the_same_study_gives_the_same_files(tmp_path, study, monkeypatch):
    monkeypatch.undo()  # the study's own report has its figure of effects
    monkeypatch.setattr(StudyNumbers, "drawings", lambda self, *sections: [])
    folder = study[0]
    path = write_report(folder, tmp_path / "elsewhere")
    assert path.read_bytes() == study[2].read_bytes()
    for file in (folder / "report").rglob("*"):
        if file.is_file():
            assert (tmp_path / "elsewhere" / file.relative_to(folder)).read_bytes() == file.read_bytes(), file


def test_a_study_over_densities_has_its_tables_and_sections(tmp_path):
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.05, 0.2, 1.0), (0, 1))
    results.loc[0, "diverged"] = True
    results.loc[0, ["test_accuracy", "test_loss", "egf_2"]] = np.nan
    flow = make_density_flow(results, layers=3, epochs=(0, 99, 119))
    folder = write_densities(tmp_path / "study", results, flow, runs_planned=30)
    page = page_of(folder)
    check_links(page, folder)
    check_alone(page, (folder / "report.html").read_text())
    assert page.sections[:2] == ["densities", "comparisons"] and {"changes", "diverged"} <= set(page.sections)
    assert "p_values" not in page.sections and "claims" not in page.sections
    assert _files(folder, ".csv", ".md", ".tex") >= {
        f"{name}.{end}" for name in ("densities", "comparisons", "correlations") for end in ("csv", "md", "tex")
    }
    compared = pd.read_csv(folder / "report" / "comparisons.csv")
    assert compared["p_holm"].tolist() == pytest.approx(compare_densities(results)["p_holm"].tolist())
    text = page.text("main", id="top")
    assert "24 of 30 runs are finished" in text and "1 run diverged" in text and "n = 1 of 2" in text
    assert "Reproduces: Figures 4 and 24." in text and "The paper does not give the densities." in text
    assert r"5\%" in (folder / "report" / "densities.tex").read_text()


def _pairs(make_results, **changes):
    return make_results(("adam",), ("NR",), **{"widths": (7,), **changes})


def _diverged(results):
    lost = results.assign(diverged=True)
    return lost.assign(test_accuracy=np.nan, test_loss=np.nan, egf_2=np.nan)


ODD = {
    "one arm": (lambda make: _pairs(make, arms=("dense",)), "Nothing can be compared"),
    "no flow": (lambda make: _pairs(make).drop(columns=FLOW), "too few pairs"),
    "one pair": (lambda make: _pairs(make, seeds=(0,)), "one seed"),
    "all diverged": (lambda make: _diverged(_pairs(make)), "6 runs diverged"),
    "two datasets": (
        lambda make: pd.concat([_pairs(make), _pairs(make, dataset="a&b").assign(run_id=list("abcdef"))]),
        "2 hidden layers",
    ),
}
ODD_DENSITIES = {
    "one run": (lambda: make_densities(("sgd",), ("NR",), (0.1,), (0,), ("random",)), "Nothing can be compared"),
    "no flow": (
        lambda: make_densities(("sgd",), ("NR",), (0.1, 1.0), (0,), ("random",)).drop(columns=["egf_2", "grad_norm_2"]),
        "one seed",
    ),
    "all diverged": (
        lambda: _diverged(make_densities(("sgd",), ("NR",), (0.1, 1.0), (0,), ("random",))),
        "2 runs diverged",
    ),
    "dense alone": (lambda: make_densities(("sgd",), ("NR", "SC"), (1.0,), (0, 1), ("random",)), "too few pairs"),
    "two architectures": (
        lambda: pd.concat(
            make_densities(("sgd",), ("NR",), (0.1, 1.0), (0, 1), depth=depth).assign(
                run_id=lambda runs, depth=depth: runs["run_id"] + str(depth)
            )
            for depth in (10, 16)
        ),
        "Wide ResNet-16-10",
    ),
    "tweaks": (
        lambda: with_tweaks(make_densities(("sgd",), ("NR",), (0.1, 1.0), (0, 1, 2), ("random",)), ("none", "GSk")),
        "no tweaks",
    ),
}


def _check_odd(page, folder, words):
    check_links(page, folder)
    text = page.text("main", id="top")
    assert words in text and page.text("section", id="answer")
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)


@pytest.mark.parametrize("name", ODD)
def test_odd_studies_of_pairs_have_a_report(name, tmp_path, make_results, write_study):
    make, words = ODD[name]
    folder = write_study(tmp_path / "study", make(make_results).reset_index(drop=True))
    _check_odd(page_of(folder), folder, words)


@pytest.mark.parametrize("name", ODD_DENSITIES)
def test_odd_studies_over_densities_have_a_report(name, tmp_path):
    make, words = ODD_DENSITIES[name]
    folder = write_densities(tmp_path / "study", make().reset_index(drop=True))
    _check_odd(page_of(folder), folder, words)


def test_value_measure_and_diverged_are_those_asked_for(tmp_path, make_results, write_study):
    results = make_results(("adam",), ("BN",), widths=(7, 20))
    results.loc[results.index[:4], "diverged"] = True
    folder = write_study(tmp_path / "study", results, measure="grad_norm_1")
    dropped = page_of(folder, diverged="drop")
    assert "Their pairs are left out of the tests." in dropped.text("section", id="warnings")
    assert "gradient 1-norm" in dropped.text("details", id="means"), "the study names it"
    assert "EGF (1-norm)" in page_of(folder, measure="egf_1").text("details", id="means")
    page = page_of(folder, value="test_loss")
    ((attrs, _),) = page.find("td", class_="filled")
    assert float(attrs["data-sort"]) == pytest.approx(compare_arms(results, value="test_loss")["p_value"].item())


def test_networks_are_compared_at_their_best_validation_epoch(tmp_path, make_results, write_study):
    results = make_results(("adam",), ("BN",), widths=(7, 20))
    gap = 0.5 * (results["arm"] == "sparse")
    held = results.assign(selected_test_accuracy=results["test_accuracy"] - gap, best_validation_epoch=3)
    page = page_of(folder := write_study(tmp_path / "study", held), value="selected_test_accuracy")
    written = pd.read_csv(folder / "report" / "p_values.csv")["p_value"].item()
    assert written == compare_arms(held, value="selected_test_accuracy")["p_value"].item() == 1.0
    assert compare_arms(held)["p_value"].item() < 0.05, "by the last epoch"
    assert "test accuracy at the best validation epoch" in page.text("body")
    without = write_study(tmp_path / "without", results)
    with pytest.raises(
        ValueError, match=r"selected_test_accuracy needs images held out .*--validation_size.*held out none"
    ):
        write_report(without, value="selected_test_accuracy")


def test_a_plugins_measure_is_no_option_of_the_runs(tmp_path, make_results, make_flow, write_study):
    results = make_results(("adam",), ("BN",), widths=(7, 20))
    results["my_measure"] = np.linspace(0, 1, len(results))
    flow = make_flow(results, epochs=(0, 14)).assign(measure="my_measure")
    page = page_of(write_study(tmp_path / "study", results, flow), measure="my_measure")
    assert "6 pairs" in page.text("section", id="answer"), "it parts no pair"
    assert "my measure" in page.text("details", id="correlations")


def test_a_study_file_with_the_least_in_it_is_enough(tmp_path, make_results, write_study):
    folder = write_study(tmp_path / "study", _pairs(make_results))
    study = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({name: study[name] for name in ("run_ids", "members")}))
    page = page_of(folder)
    assert (
        page.text("h1") == "Study" and page.find("table", id="settings") and not page.find("table", id="choice-table")
    )


def test_missing_folders_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="`study_dir` must be the folder of a study; received .*nowhere"):
        write_report(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"expected the file .*study\.json"):
        write_report(tmp_path)


def test_a_study_without_a_finished_run_is_refused_and_nothing_written(tmp_path, make_results, write_study):
    folder = write_study(tmp_path / "study", make_results(widths=(7,)))
    for result in folder.glob("*/result.json"):
        result.unlink()
    with pytest.raises(ValueError, match=r"no finished run.*expected a result\.json.*its 24 runs; found none"):
        write_report(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("result.json", "{", "expected JSON"),
        ("spec.json", "[]", "expected the digest"),
        ("flow.csv", "a,b\n1,2\n", "expected the digest"),
    ],
)
def test_a_damaged_run_is_left_out_and_named(tmp_path, make_results, write_study, undrawn, name, content, message):
    results = _pairs(make_results)
    folder, damaged = write_study(tmp_path / "study", results), results["run_id"][1]
    (folder / damaged / name).write_text(content)
    page = Page(write_report(folder, tmp_path / "out", figures=False).read_text())
    said = f"1 finished run left out because a file of it is not as it was written: {damaged}."
    assert said in page.text("section", id="warnings")
    assert damaged not in pd.read_csv(tmp_path / "out/report/p_values.csv").to_string()
    assert message in records.damaged_runs(folder)[damaged]


def test_a_failed_write_leaves_the_old_report(study, tmp_path, monkeypatch):
    folder = shutil.copytree(study[0], tmp_path / "study")
    (folder / "report.html").write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(records.files.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(folder)
    assert (folder / "report.html").read_text() == "old"
    assert not list(folder.rglob("*.tmp"))


def test_files_of_the_last_report_that_this_one_does_not_have_go_and_others_stay(tmp_path, make_results, write_study):
    folder = write_study(tmp_path / "study", _pairs(make_results))
    write_report(folder, tmp_path, figures=False)
    kept, others = {*_files(tmp_path, ".csv", ".md", ".tex")}, tmp_path / "report" / "mine.csv"
    others.write_text("not written by a report")
    for name in ("report/pairs_old.csv", "outside.csv"):
        (tmp_path / name).write_text("old")
    listed = json.loads((tmp_path / ".report.json").read_text())["files"]
    listed += ["report/pairs_old.csv", "outside.csv", "report/../outside.csv", "report/gone.csv", 3]
    records.write_json(tmp_path / ".report.json", {"files": listed})
    write_report(folder, tmp_path, figures=False)
    assert _files(tmp_path, ".csv", ".md", ".tex") == {*kept, "mine.csv"} and (tmp_path / "outside.csv").exists()
    for text in ("{", "[]", '{"files": 3}', ""):
        (tmp_path / ".report.json").write_text(text)
        write_report(folder, tmp_path, figures=False)
    assert _files(tmp_path, ".csv", ".md", ".tex") == {*kept, "mine.csv"}
