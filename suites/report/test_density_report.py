import re

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow import records
from keras_sparseflow.analysis import report_density
from keras_sparseflow.analysis.density import mean_by_density
from keras_sparseflow.analysis.density_comparison import compare_densities
from keras_sparseflow.analysis.formats import format_fixed
from keras_sparseflow.analysis.report import write_report
from tests.analysis.densities import make_densities, make_density_flow, write_densities

FIGURES = [
    "test_accuracy_of_variants", "test_accuracy_of_methods", "egf_2_of_variants", "egf_2_of_methods",
    "egf_2_over_epochs", "egf_2_of_variants_over_epochs", "egf_2_by_layer", "egf_2_against_test_accuracy",
]  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of two variants and both methods with a diverged run, and its page; not to be changed."""
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.05, 0.2, 1.0), (0, 1))
    results.loc[0, "diverged"] = True
    results.loc[0, ["test_accuracy", "test_loss", "egf_2"]] = np.nan
    flow = make_density_flow(results, layers=3, epochs=(0, 99, 119))
    folder = write_densities(tmp_path_factory.mktemp("runs") / "study", results, flow, runs_planned=30)
    return folder, results, write_report(folder).read_text()


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves out the figures, which take most of the time: for tests of everything else."""
    monkeypatch.setattr(
        report_density,
        "draw_densities",
        lambda source: {label: [] for label in mean_by_density(source.results)["table"]},
    )


def _report(tmp_path, results, flow=None, study=None, **options):
    folder = write_densities(tmp_path / "study", results, flow, **(study or {}))
    return write_report(folder, figures=False, **options).read_text()


def _text(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_means_of_the_page_are_those_of_the_runs(study):
    _, results, html = study
    table = html[html.index('class="densities sortable"') :]
    found = re.findall(r'<td data-sort="([^"]+)"(?: class="best")?>(\S+)\n', table[: table.index("</table>")])
    means = mean_by_density(results)["mean"]
    assert [float(number) for number, _ in found] == pytest.approx(means.tolist(), abs=1e-12)
    assert [text for _, text in found] == [format_fixed(mean) for mean in means]


def test_the_best_of_a_density_is_bold(study):
    _, results, html = study
    bold = [float(number) for number in re.findall(r'<td data-sort="([^"]+)" class="best">', html)]
    assert bold == pytest.approx(mean_by_density(results).groupby("density")["mean"].max().tolist(), abs=1e-12)


def test_a_cell_says_how_many_runs_diverged(study):
    assert "n = 1 of 2" in _text(study[2])
    assert "method density seed epochs trained" in _text(study[2])
    assert '<td class="text">random masks</td><td data-sort="0.05">5%</td>' in study[2]


def test_findings_warnings_preset_and_notes_are_there(study):
    text = _text(study[2])
    assert "Of the 2 configurations that all methods have at 5%" in text
    assert "24 of 30 runs are finished" in text and "1 run diverged" in text
    assert "Reproduces: Figures 4 and 24. Preset figure_4 , changed in 1 choice ." in text
    assert "The paper does not give the densities." in text
    assert "&lt;b&gt; on CIFAR-100" in study[2] and "<b> on" not in study[2]


def test_every_figure_is_in_the_page_and_beside_it(study):
    folder, _, html = study
    names = {path.name for path in (folder / "report" / "figures").iterdir()}
    assert names == {f"{name}.{format}" for name in FIGURES for format in ("png", "svg")}
    assert html.count("<svg ") == len(FIGURES)
    assert all(f"report/figures/{name}.png" in html for name in FIGURES)


def test_shades_of_density_follow_the_pages_theme(study):
    html = study[2]
    assert "--c1b068d: #1b068d;" in html and "--c1b068d: #f4ed27;" in html
    used = set(re.findall(r"var\(--c([0-9a-f]{6})\)", html))
    declared = set(re.findall(r"--c([0-9a-f]{6}):", html))
    assert {"1b068d", "f2844b"} <= used <= declared


def test_tables_are_files_in_full_precision(study):
    folder, results, _ = study
    written = pd.read_csv(folder / "report" / "densities.csv")
    expected = mean_by_density(results)
    assert written["mean"].tolist() == pytest.approx(expected["mean"].tolist(), rel=1e-15)
    names = {path.name for path in (folder / "report").iterdir() if path.is_file()}
    assert names == {
        f"{name}.{end}" for name in ("densities", "comparisons", "correlations") for end in ("csv", "md", "tex")
    }
    compared = pd.read_csv(folder / "report" / "comparisons.csv")
    assert compared["p_holm"].tolist() == pytest.approx(compare_densities(results)["p_holm"].tolist())
    assert r"5\%" in (folder / "report" / "densities.tex").read_text()
    assert "| method | optimizer | variant | 5% | 20% | 100% |" in (folder / "report" / "densities.md").read_text()


def test_each_entry_of_the_contents_leads_somewhere(study):
    html = study[2]
    targets = re.findall(r'<li><a href="#([^"]+)">', html)
    assert len(targets) == 9
    assert all(f'id="{target}"' in html for target in targets)


def test_a_page_without_comparisons_methods_and_flow(tmp_path, unrendered):
    results = make_densities(("sgd",), ("NR",), (0.1, 1.0), (0,), ("random",)).drop(columns=["egf_2", "grad_norm_2"])
    html = _report(tmp_path, results, study={"preset": None, "overrides": [], "notes": []})
    assert "comparisons" not in html and 'id="correlations"' not in html and 'id="diverged"' not in html
    assert "No gradient flow (EGF (2-norm)) was recorded" in html
    assert "Every network was trained with one seed" in html
    assert not (tmp_path / "study" / "report" / "comparisons.csv").exists()


def test_every_run_diverged_is_a_report_too(tmp_path, unrendered):
    results = make_densities(("sgd",), ("NR",), (0.1, 1.0), (0,), ("random",)).assign(diverged=True)
    html = _report(tmp_path, results)
    assert "no run came to a finite result" in html and "2 runs diverged" in html


def test_several_tables_stand_apart(tmp_path, undrawn):
    settings = {"optimizers": ("sgd",), "variants": ("NR",), "densities": (0.1, 0.2, 1.0), "seeds": (0, 1)}
    results = pd.concat([make_densities(**settings, depth=depth) for depth in (10, 16)], ignore_index=True)
    results["run_id"] += results["depth"].map("-{}".format)
    text = _text(_report(tmp_path, results))
    assert text.count("cifar100, Wide ResNet-10-10, learning rate 0.1, relu; 2 seeds") == 1
    assert text.count("cifar100, Wide ResNet-16-10, learning rate 0.1, relu; 2 seeds") == 1


def test_the_value_decides_what_is_compared(tmp_path, undrawn):
    results = make_densities(("sgd",), ("NR", "SC_BN"), (0.1, 0.2, 1.0), (0, 1), ("random",))
    text = _text(_report(tmp_path, results, value="test_loss"))
    assert "Test loss by density" in text and "mean test loss rises in 2 of 2 configurations" in text


def test_the_same_study_gives_the_same_bytes(tmp_path, undrawn):
    results = make_densities(("sgd",), ("NR",), (0.1, 1.0), (0, 1))
    folder = write_densities(tmp_path / "study", results)
    pages = {write_report(folder, tmp_path / name, figures=False).read_bytes() for name in ("one", "two")}
    assert len(pages) == 1
    assert records.read_study(folder)["comparison"] == "densities"
