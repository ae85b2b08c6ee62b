"""Every figure of a report by one call on frames: those of the page, each where its frames are there."""

import pandas as pd
import pytest

from keras_sparseflow.analysis.report.effects import effects
from keras_sparseflow.analysis.report.figures_of_frames import draw_figures
from keras_sparseflow.records import read_diagnostics, read_flow, read_landscape, read_results
from tests.analysis.densities import (
    make_densities,
    make_density_flow,
    make_diagnostics,
    make_landscape,
    write_densities,
)
from tests.analysis.pages import page_of
from tests.analysis.sources import numbers_of


def names(drawn):
    return {drawing.name for drawing in drawn}


@pytest.fixture(scope="module", name="pairs")
def fixture_pairs(make_results):
    return make_results(("adam",), widths=(7, 20))


@pytest.fixture(scope="module", name="densities")
def fixture_densities():
    return make_densities(("sgd",), ("NR", "SC_BN"), (0.1, 1.0), (0, 1), ("random",))


def test_results_alone_have_effects_and_p_values_and_no_figure_of_another_frame(pairs):
    found = names(draw_figures(None, pairs))
    assert {"effects", "p_values", "test_accuracy_of_variants", "egf_2_of_variants"} <= found
    assert not [name for name in found if "epochs" in name or "layer" in name or "loss_" in name]


@pytest.mark.parametrize("given", ["flow", "diagnostics", "landscape"])
def test_each_frame_adds_its_figures(densities, given):
    make = {"flow": make_density_flow, "diagnostics": make_diagnostics, "landscape": make_landscape}[given]
    alone, more = names(draw_figures(None, densities)), names(draw_figures(None, densities, **{given: make(densities)}))
    assert {"effects", "test_accuracy_of_variants"} <= alone < more and "p_values" not in more


def test_the_figures_are_those_of_the_report(tmp_path, pairs, densities, make_flow, write_study, unrendered):
    frames = {"diagnostics": make_diagnostics(densities), "landscape": make_landscape(densities)}
    folders = [
        write_study(tmp_path / "pairs", pairs, make_flow(pairs, (0, 9))),
        write_densities(tmp_path / "densities", densities, make_density_flow(densities, 2, (0, 9)), **frames),
    ]
    for folder in folders:
        shown = {attrs["aria-label"] for attrs, _ in page_of(folder).find("svg")}
        read = {"flow": read_flow, "diagnostics": read_diagnostics, "landscape": read_landscape}
        given = {name: read_one(folder) for name, read_one in read.items()}
        drawn = draw_figures(None, read_results(folder), **{name: frame for name, frame in given.items() if len(frame)})
        titles = [drawing.title for drawing in drawn]
        assert {*titles, f"{titles[0]} (narrow)"} == shown and titles[0].startswith("Effects: ")


def test_a_frame_that_is_given_takes_the_place_of_the_computed_one(pairs):
    numbers = numbers_of(pairs)
    (drawn,) = draw_figures(["answer"], pairs, effects=effects(numbers).head(1), x_label="given")
    assert drawn.figure.get_supxlabel() == "given" and len(drawn.figure.axes[0].get_yticks()) == 1
    (drawn,) = draw_figures(["tests"], pairs, comparison=numbers.comparison.head(1))
    assert len(drawn.figure.axes[0].get_xticks()) == 1
    assert draw_figures(["flow"], pairs.drop(columns=["egf_2"]).head(1)) == []


def test_the_figure_of_effects_is_one_of_the_whole_study(pairs):
    rates = pairs.assign(learning_rate=0.1, run_id=pairs["run_id"] + "-fast")
    both = pd.concat([pairs, rates], ignore_index=True)
    assert len(draw_figures(["tests"], both)) == 2
    (computed,), (given,) = (
        draw_figures(["answer"], both),
        draw_figures(["answer"], both, effects=effects(numbers_of(both))),
    )
    assert computed.name == given.name == "effects"
    assert len(computed.figure.axes[0].get_yticks()) == len(given.figure.axes[0].get_yticks()) == 4
