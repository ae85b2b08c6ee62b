import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow import records
from keras_sparseflow.analysis.frames.formats import format_fixed, format_p, format_signed
from keras_sparseflow.analysis.report import report_pairs
from keras_sparseflow.analysis.report.tables import tabulate_means
from keras_sparseflow.analysis.report.writing import write_report
from keras_sparseflow.analysis.statistics.comparisons import compare_arms
from keras_sparseflow.analysis.statistics.correlation import correlate_flow

FLOW = ["grad_norm_1", "grad_norm_2", "egf_1", "egf_2"]
VOID = {"meta", "link", "br", "img", "hr", "input"}


class _Page(HTMLParser):
    """A page as a list of elements `(tag, attributes, text)`; fails on tags that do not match."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag in ("td", "th", "tr", "li", "p"):
            self.handle_data(" ")
        element = [tag, dict(attrs), ""]
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for element in self.open:
            element[2] += data

    def find(self, tag, **attributes):
        """Returns the elements with that tag and those attributes; `data_x` is `data-x`, `class_` a class."""
        found = []
        for name, attrs, text in self.elements:
            wanted = {key.replace("_", "-"): value for key, value in attributes.items() if key != "class_"}
            has_class = attributes.get("class_", "") in ["", *(attrs.get("class") or "").split()]
            if name == tag and has_class and all(attrs.get(key) == value for key, value in wanted.items()):
                found.append((attrs, " ".join(text.split())))
        return found

    def text(self, tag, **attributes):
        (found,) = self.find(tag, **attributes)
        return found[1]


@pytest.fixture(scope="module")
def study(tmp_path_factory, make_results, make_flow, write_study):
    """A whole study with diverged runs, its report and its page; not to be changed."""
    results = make_results()
    results.loc[[3, 50, 51], "diverged"] = True
    results.loc[3, ["test_accuracy", "test_loss", "egf_2"]] = np.nan
    folder = write_study(
        tmp_path_factory.mktemp("runs") / "study", results, make_flow(results, epochs=(0, 14, 29)), runs_planned=122
    )
    path = write_report(folder)
    return folder, results, path, _Page(path.read_text())


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves out the figures, which take most of the time: for tests of everything else."""
    monkeypatch.setattr(
        report_pairs, "draw_tables", lambda _, __, comparison, *___: {label: [] for label in comparison["table"]}
    )
    monkeypatch.setattr(report_pairs, "draw_correlations", lambda *_: {})


def _report(tmp_path, write_study, results, flow=None, **options):
    study = {key: options.pop(key) for key in list(options) if key not in ("value", "measure", "diverged")}
    folder = write_study(tmp_path / "study", results, flow, **study)
    return _Page(write_report(folder, figures=False, **options).read_text())


def test_report_stands_in_the_studys_folder_with_its_tables(study):
    folder, _, path, _ = study
    assert path == folder / "report.html"
    assert (folder / "report" / "p_values.csv").is_file()
    assert not [file for file in folder.rglob("*") if file.name.endswith(".tmp")]


def test_p_values_in_the_page_are_those_computed(study):
    _, results, _, page = study
    table = compare_arms(results)
    cells = page.find("td", class_="cell")
    assert len(cells) == len(table) == 4
    for row in table.to_dict("records"):
        place = {"data_row": row["optimizer"], "data_column": row["variant"]}
        ((attrs, text),) = page.find("td", class_="cell", **place)
        assert float(attrs["data-sort"]) == row["p_value"]
        assert text.startswith(format_p(row["p_value"]))
        (details,) = [text for attrs, text in page.find("tr", **place) if "id" in attrs]
        assert details.split() == [
            *(f"{row['optimizer']}, {row['variant']}".split()),
            *(format_p(row["p_value"]), format_p(row["p_holm"])),
            *(str(row["pairs"]), str(row["zeros"]), str(row["pairs_used"]), row["method"]),
            *(format_signed(row["median_difference"]), format_signed(row["effect_size"], 2)),
            *(f"{row['sparse_diverged']}, {row['dense_diverged']}".split()),
            str(row["incomplete_pairs"] + row["dropped_pairs"]),
        ]


def test_rows_are_optimizers_and_columns_variants(study):
    page = study[3]
    places = [(attrs["data-row"], attrs["data-column"]) for attrs, _ in page.find("td", class_="cell")]
    assert places == [("adam", "NR"), ("adam", "BN"), ("sgd", "NR"), ("sgd", "BN")]
    assert "digits, 2 hidden layers, learning rate 0.001, relu" in [text for _, text in page.find("h3")]


def test_significant_cells_are_bold_and_green(study):
    _, results, _, page = study
    for row in compare_arms(results).to_dict("records"):
        ((attrs, _),) = page.find("td", class_="cell", data_row=row["optimizer"], data_column=row["variant"])
        red, green, _ = (int(re.search("#(......)", attrs["style"])[1][i : i + 2], 16) for i in (0, 2, 4))
        assert (green > red) == (row["p_value"] < 0.3)
    bold = [text for _, text in page.find("span", class_="significant")]
    assert bold == [format_p(p) for p in compare_arms(results)["p_value"] if p < 0.05]
    assert len(bold) == 2


def test_every_link_leads_somewhere(study):
    folder, _, _, page = study
    ids = {attrs["id"] for _, attrs, _ in page.elements if "id" in attrs}
    links = [attrs["href"] for attrs, _ in page.find("a")]
    assert len(links) > 10
    for link in links:
        assert link[1:] in ids if link.startswith("#") else (folder / link).is_file()
    pairs = [link for link in links if "/pairs_" in link]
    assert len(set(pairs)) == 4


def test_ids_are_unique(study):
    ids = [attrs["id"] for _, attrs, _ in study[3].elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_page_needs_nothing_but_itself(study):
    path, page = study[2:]
    tags = {tag for tag, _, _ in page.elements}
    assert not tags & {"link", "img", "iframe", "object", "embed", "base"}
    for tag, attrs, _ in page.elements:
        for name in ("src", "href", "xlink:href", "srcset", "poster", "data", "action"):
            assert not re.match(r"(https?:|//|file:|/)", attrs.get(name) or ""), (tag, attrs)
        assert tag != "script" or attrs == {}
    for text in [text for tag in ("style", "script") for _, text in page.find(tag)]:
        assert not re.search(r"@import|url\((?!#)|https?:|fetch\(|import\(|XMLHttpRequest|WebSocket", text)
    (style,) = [text for _, text in page.find("style") if ":root" in text]
    assert "prefers-color-scheme: dark" in style and "@media print" in style
    assert set(re.findall(r"https?://[^\s\"<]+", path.read_text())) == {"http://www.w3.org/2000/svg"}


def test_page_holds_every_figure(study):
    titles = [attrs["aria-label"] for attrs, _ in study[3].find("svg")]
    flow = "EGF (2-norm)"
    assert titles == [
        f"{flow} against test accuracy",
        "p-values",
        "Test accuracy of each variant against dense width",
        "Test accuracy by variant",
        "Test accuracy against dense width",
        f"{flow} of each variant against dense width",
        f"{flow} by variant",
        f"{flow} against dense width",
        f"{flow} over the epochs",
        f"{flow} of each layer over the epochs",
        f"{flow} layer by layer",
    ]


def test_each_figure_is_linked_as_png_and_svg(study):
    folder, _, _, page = study
    links = [attrs["href"] for attrs, _ in page.find("a") if "/figures/" in attrs["href"]]
    files = sorted(str(path.relative_to(folder)) for path in (folder / "report" / "figures").iterdir())
    assert sorted(links) == files and len(files) == 2 * len(page.find("svg"))


def test_contents_name_every_section(study):
    page = study[3]
    links = [attrs["href"][1:] for attrs, _ in page.find("a") if attrs["href"] in _contents(page)]
    headings = [attrs["id"] for attrs, _ in page.find("h2")]
    assert links == headings and "diverged" in headings and "claims" in headings


def _contents(page):
    ids = {attrs["id"] for attrs, _ in page.find("h2")}
    return [f"#{name}" for name in ids]


def test_means_in_the_page_are_those_computed(study):
    _, results, _, page = study
    table = tabulate_means(results, "test_accuracy", "egf_2")
    rows = page.find("table", class_="means")
    assert len(rows) == 1
    shown = page.find("td", class_="mean")
    assert len(shown) == len(table) == 40
    assert [text for _, text in shown] == [format_fixed(mean) for mean in table["mean"]]
    assert [float(attrs["data-sort"]) for attrs, _ in shown] == pytest.approx(table["mean"].tolist())
    first = table.iloc[0]
    assert (first["row"], first["column"], first["dense_width"], first["arm"]) == ("adam", "NR", 7, "sparse")


def test_correlations_in_the_page_are_those_computed(study):
    _, results, _, page = study
    taus = correlate_flow(results)
    assert len(taus) == 4 * 2 * 2
    for tau in taus.to_dict("records"):
        place = {f"data_{name}": tau[name] for name in ("measure", "arm", "target")}
        ((_, text),) = page.find("tr", **place)
        assert format_fixed(tau["mean_abs_tau"], 3) in text.split()
        assert format_signed(tau["mean_tau"], 3) in text.split()
    best = taus.groupby(["arm", "target"])["mean_abs_tau"].max().map(lambda tau: format_fixed(tau, 3))
    assert set(best) <= {text for _, text in page.find("td", class_="best")}


def test_diverged_runs_are_counted_and_shown(study):
    _, results, _, page = study
    text = page.text("body")
    assert "3 of 120 runs ended with a loss that is not finite." in text
    for run_id in results.loc[results["diverged"], "run_id"]:
        assert run_id in text


def test_claims_are_answered_in_the_page(study):
    text = study[3].text("table", id="claim-table")
    assert "sparse networks do not win without BatchNorm" in text and "not testable here" in text
    assert "no run with L2 and BatchNorm beside one with BatchNorm alone" in text


def test_summary_and_warnings_are_in_the_page(study):
    page = study[3]
    assert "Sparse beats dense in 2 of 4 cells at p < 0.05; after Holm's correction in 2." in page.text(
        "section", id="summary"
    )
    warnings = page.text("section", id="warnings")
    assert "120 of 122 runs are finished" in warnings
    assert "1 sparse run and 2 dense runs diverged" in warnings


def test_choices_settings_cost_and_command_are_in_the_page(study):
    page = study[3]
    everything = page.text("body")
    choices = page.text("table", id="choice-table")
    assert "batch_size 128 images a step the paper is silent loss none" in choices
    assert "batch_size" not in page.text("table", id="settings")
    assert "dense_width 7, 20, 34, 48, 61" in page.text("table", id="settings")
    assert "python launchers/scsdc.py --preset=demo" in everything
    assert "120 of 122 planned" in everything
    assert "training time 3 min" in everything
    assert "keras 3.12" in everything and "machine: cpu 2 cores" in everything
    assert "How to read the p-value" in everything


def test_text_is_escaped(study):
    _, _, path, page = study
    assert page.text("h1") == "Sparse <b> dense & digits"
    assert "Sparse &lt;b&gt; dense &amp; digits" in path.read_text()
    assert len(page.find("b")) == 1 + 1 + 11


def test_the_same_study_gives_the_same_files(tmp_path, make_results, write_study):
    results = make_results(("adam",), ("NR",), widths=(7, 20)).drop(columns=FLOW)  # whose figures take time
    folder = write_study(tmp_path / "study", results)
    path = write_report(folder)
    assert write_report(folder, tmp_path / "elsewhere").read_text() == path.read_text()
    files = sorted(file.relative_to(folder) for file in (folder / "report").rglob("*") if file.is_file())
    assert {file.name for file in files} >= {
        f"{name}.{ending}" for name in ("p_values", "means", "correlations") for ending in ("csv", "md", "tex")
    }
    for file in files:
        assert (tmp_path / "elsewhere" / file).read_bytes() == (folder / file).read_bytes(), file


def test_what_was_changed_against_the_preset_is_in_the_page(tmp_path, make_results, write_study, undrawn):
    preset = {
        "preset": "table_4",
        "reproduces": "Table 4",
        "notes": ["The paper leaves the batch size open.", "And the loss."],
        "overrides": [
            {"choice": "epochs", "preset": 500, "here": 25},
            {"choice": "seeds", "preset": [0, 1], "here": [0]},
        ],
        "cost": {"networks": 6, "steps": 1234567, "flops": 1.5e15},
    }
    page = _report(tmp_path, write_study, make_results(("adam",), ("NR",), widths=(7,)), **preset)
    assert page.text("table", id="overrides") == "choice preset here epochs 500 25 seeds 0, 1 0"
    text = page.text("body")
    assert "Reproduces: Table 4." in text and "changed in 2 choices" in text
    assert page.text("ul", id="notes") == "The paper leaves the batch size open. And the loss."
    cost = page.text("table", id="cost")
    assert "gradient steps, planned 1,234,567" in cost and "1.50 \N{MULTIPLICATION SIGN} 10¹⁵" in cost


def test_a_preset_at_full_size_says_so(tmp_path, make_results, write_study, undrawn):
    results = make_results(("adam",), ("NR",), widths=(7,))
    page = _report(tmp_path, write_study, results, preset="table_4", overrides=[])
    assert "at full size and unchanged" in page.text("body") and not page.find("table", id="overrides")


def test_the_study_names_the_measure_unless_the_caller_does(tmp_path, make_results, write_study, undrawn):
    results = make_results(("adam",), ("NR",), widths=(7,))
    folder = write_study(tmp_path / "study", results, measure="grad_norm_1")
    for measure, shown in ((None, "grad_norm_1"), ("egf_1", "egf_1")):
        page = _Page(write_report(folder, measure=measure, figures=False).read_text())
        assert page.find("table", class_="means")[0][1].split()[8] == shown


def test_published_values_stand_beside_ours(tmp_path, make_results, write_study, undrawn):
    results = make_results(("adam", "lion"), ("NR", "L2")).assign(dataset="cifar100", hidden_layers=4)
    page = _report(tmp_path, write_study, results)
    shown = {(a["data-row"], a["data-column"]): text for a, text in page.find("td", class_="cell")}
    assert "paper 0.000" in shown["adam", "NR"] and "paper 0.198" in shown["adam", "L2"]
    assert "paper" not in shown["lion", "NR"]
    text = page.text("body")
    assert "here: 30 epochs on cifar100 (paper: 1000)." in text
    assert "Ours and the paper agree about significance (p < 0.05) in 1 of 2 cells" in text


def test_each_dataset_has_its_own_table(tmp_path, make_results, write_study, unrendered):
    parts = [make_results(("adam",), widths=(7, 20)).assign(dataset=name) for name in ("digits", "cifar10")]
    parts[1]["run_id"] += "-cifar10"
    page = _report(tmp_path, write_study, pd.concat(parts, ignore_index=True))
    assert len(page.find("table", class_="p-values")) == 2
    titles = [attrs["aria-label"] for attrs, _ in page.find("svg")]
    assert len(titles) == 2 * 8  # all but the three of flow along training, which was not recorded
    assert [text for _, text in page.find("h2") if text.startswith("Figures: ")] == [
        f"Figures: {name}, 2 hidden layers, learning rate 0.001, relu" for name in ("cifar10", "digits")
    ]


def test_a_study_with_one_arm_has_a_report(tmp_path, make_results, make_flow, write_study, unrendered):
    results = make_results(("adam",), arms=("dense",), widths=(7, 20))
    page = _report(tmp_path, write_study, results, make_flow(results))
    assert "nothing to compare" in page.text("section", id="summary")
    assert page.find("td", class_="cell") == []
    assert "p-values" not in [attrs["aria-label"] for attrs, _ in page.find("svg")]
    assert len(page.find("svg")) == 10


def test_a_study_without_flow_has_a_report(tmp_path, make_results, write_study, unrendered):
    results = make_results(("adam",), ("NR",)).drop(columns=FLOW)
    page = _report(tmp_path, write_study, results)
    assert not [attrs for attrs, _ in page.find("svg") if "EGF" in attrs["aria-label"]]
    assert len(page.find("svg")) == 4 and not page.find("h2", id="correlations")
    assert "No gradient flow (EGF (2-norm)) was recorded for these runs." in page.text("body")


def test_a_single_width_and_seed_has_a_report(tmp_path, make_results, make_flow, write_study, undrawn):
    results = make_results(("adam",), ("NR",), widths=(7,), seeds=(0,))
    page = _report(tmp_path, write_study, results, make_flow(results, epochs=(0,)))
    assert "fewer than 6 pairs: p cannot fall below 0.5" in page.text("section", id="warnings")
    assert "1 pair · details" in page.find("td", class_="cell")[0][1]


def test_a_study_that_only_diverged_has_a_report(tmp_path, make_results, make_flow, write_study, unrendered):
    results = make_results(("adam",), ("NR",), widths=(7,)).assign(diverged=True)
    results[["test_accuracy", "test_loss", "egf_2"]] = np.nan
    page = _report(tmp_path, write_study, results, make_flow(results))
    assert "3 sparse runs and 3 dense runs diverged" in page.text("section", id="warnings")
    assert [attrs["aria-label"] for attrs, _ in page.find("svg")] == ["p-values"]
    assert page.find("td", class_="cell")[0][0]["data-sort"] == "1.0"


def test_a_study_can_be_reported_by_loss_and_another_measure(
    tmp_path, make_results, make_flow, write_study, unrendered
):
    results = make_results(("adam",), ("BN",))
    flow = make_flow(results).assign(measure="egf_1")
    page = _report(tmp_path, write_study, results, flow, value="test_loss", measure="egf_1")
    titles = [attrs["aria-label"] for attrs, _ in page.find("svg")]
    assert titles[0] == "EGF (1-norm) against test loss" and len(titles) == 11
    assert all("Test loss" in title for title in titles[2:5])
    assert all("EGF (1-norm)" in title for title in titles[5:])
    ((attrs, _),) = page.find("td", class_="cell")
    assert float(attrs["data-sort"]) == compare_arms(results, value="test_loss")["p_value"].item()


def test_diverged_runs_can_be_dropped(tmp_path, make_results, write_study, undrawn):
    results = make_results(("adam",), ("BN",))
    results.loc[results.index[:4], "diverged"] = True
    page = _report(tmp_path, write_study, results, diverged="drop")
    assert "Their pairs are left out of the tests." in page.text("section", id="warnings")
    assert page.find("td", class_="cell")[0][1].split()[1:3] == ["13", "pairs"]


def test_a_plugins_measure_is_no_option_of_the_runs(tmp_path, make_results, make_flow, write_study, undrawn):
    results = make_results(("adam",), ("BN",))
    results["my_measure"] = np.linspace(0, 1, len(results))
    flow = make_flow(results).assign(measure="my_measure")
    page = _report(tmp_path, write_study, results, flow, measure="my_measure")
    assert page.find("td", class_="cell")[0][1].split()[1:3] == ["15", "pairs"]


def test_a_study_file_with_the_least_in_it_is_enough(tmp_path, make_results, write_study, undrawn):
    results = make_results(("adam",), ("NR",), widths=(7,))
    folder = write_study(tmp_path / "study", results)
    study = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({name: study[name] for name in ("run_ids", "members")}))
    page = _Page(write_report(folder, figures=False).read_text())
    assert page.text("h1") == "Study"
    assert "The study lists none." in page.text("body")


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
        ("result.json", "{", r"result\.json is corrupt: expected JSON"),
        ("spec.json", "[]", r"spec\.json is corrupt: expected a JSON object"),
        ("flow.csv", "a,b\n1,2\n", r"flow\.csv is corrupt: expected the columns epoch, reading, measure, layer, value"),
    ],
)
def test_a_corrupt_file_is_named_and_nothing_written(tmp_path, make_results, write_study, name, content, message):
    results = make_results(("adam",), ("NR",), widths=(7,))
    folder = write_study(tmp_path / "study", results)
    (folder / results["run_id"][1] / name).write_text(content)
    with pytest.raises(ValueError, match=re.escape(results["run_id"][1]) + "/" + message):
        write_report(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_failed_write_leaves_the_old_report(study, tmp_path, monkeypatch, undrawn):
    folder = shutil.copytree(study[0], tmp_path / "study")
    (folder / "report.html").write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(records.files.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(folder)
    assert (folder / "report.html").read_text() == "old"
    assert not list(folder.rglob("*.tmp"))


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
