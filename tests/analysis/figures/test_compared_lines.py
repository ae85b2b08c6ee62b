"""Lines of variants beside lines of densities: flow, diagnostics and losses around trained networks."""

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis import (
    NotApplicableError,
    against_size,
    by_layer,
    densities_along,
    density_surfaces,
    loss_contours,
    over_epochs,
)
from keras_sparseflow.analysis.report.figures_of_frames import draw_figures
from tests.analysis.densities import (
    LAYERS,
    TWEAKS,
    make_densities,
    make_density_flow,
    make_diagnostics,
    make_landscape,
    with_tweaks,
)


def _lines(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def _panels(figure):
    return {axes.get_title().replace("\n", " "): axes for axes in figure.axes if axes.get_title()}


@pytest.fixture(scope="module")
def tweaked():
    """Three ways to train masks of two scores and two densities, each with two seeds."""
    plain = make_densities(("sgd",), ("NR",), (0.02, 0.1), (0, 1), ("random", "snip"))
    return with_tweaks(plain, ("none", "GSk", "tost"))


@pytest.fixture(scope="module")
def measured(tweaked):
    return make_diagnostics(tweaked, epochs=(0, 5))


@pytest.fixture(scope="module")
def landscape(tweaked):
    return make_landscape(tweaked, 5)


def _means(rows, runs, by, **chosen):
    inside = runs[(runs[list(chosen)] == list(chosen.values())).all(axis=1)]
    return rows[rows["run_id"].isin(inside["run_id"])].groupby(by, sort=False)["value"].mean().to_numpy()


def test_variants_are_lines_of_a_panel_per_density(tweaked, measured):
    panels = _panels(over_epochs(measured, tweaked, "top_eigenvalue", "variant"))
    assert list(panels) == [
        "sgd, 2% density, random masks", "sgd, 10% density, random masks",
        "sgd, 2% density, SNIP", "sgd, 10% density, SNIP",
    ]  # fmt: skip
    lines = _lines(panels["sgd, 10% density, SNIP"])
    assert list(lines) == ["no tweaks", "GSk", "tost"]
    rows = measured[measured["measure"] == "top_eigenvalue"]
    expected = _means(rows, tweaked, "epoch", method="snip", density=0.1, tweaks="GSk")
    np.testing.assert_allclose(lines["GSk"].get_ydata(), expected)


def test_eigenvalues_of_both_signs_have_decades_on_both_sides_of_zero(tweaked, measured):
    rows = measured[measured["measure"] == "top_eigenvalue"].reset_index(drop=True)
    far = rows.assign(value=rows["value"].where(rows.index > 1, [-1e5, 1e6] * (len(rows) // 2)))
    assert far["value"].iloc[:2].tolist() == [-1e5, 1e6]
    figure = over_epochs(far, tweaked, "top_eigenvalue", "variant")
    assert {axes.get_yscale() for axes in _panels(figure).values()} == {"symlog"}
    near = over_epochs(rows.assign(value=-rows["value"]), tweaked, "top_eigenvalue", "variant")
    assert {axes.get_yscale() for axes in _panels(near).values()} == {"linear"}


def test_a_density_at_which_there_is_one_variant_has_no_panel(tweaked):
    runs = tweaked[(tweaked["density"] == 0.02) | (tweaked["tweaks"] == "none")]
    panels = _panels(over_epochs(make_density_flow(runs, 2, (0,)), runs, lines="variant"))
    assert list(panels) == ["sgd, 2% density, random masks", "sgd, 2% density, SNIP"]
    plain = runs[runs["tweaks"] == "none"]
    with pytest.raises(NotApplicableError, match="several variants to compare at some density; received NR"):
        over_epochs(make_density_flow(plain, 2, (0,)), plain, lines="variant")


def test_pruning_is_marked_in_panels_of_densities_too():
    runs = make_densities(("sgd",), ("NR", "BN"), (0.1, 1.0), (0,), ("magnitude",))
    panels = _panels(over_epochs(make_density_flow(runs, 2, (0, 150)), runs, lines="variant"))
    assert _lines(panels["sgd, 10% density"])["pruning begins"].get_xdata()[0] == 99.5
    assert "pruning begins" not in _lines(panels["sgd, 100% density"])


def test_shares_of_all_panels_fit_on_an_axis_that_begins_just_below_zero(tweaked, measured):
    figure = over_epochs(measured, tweaked, "activation_sparsity", "variant")
    highest = measured.loc[(measured["measure"] == "activation_sparsity") & (measured["layer"] == "total"), "value"]
    for axes in _panels(figure).values():
        low, high = axes.get_ylim()
        assert -0.05 * high < low < 0 and high > highest.max() and axes.get_yscale() == "linear"


def test_layers_of_trained_networks_are_those_of_the_last_epoch(tweaked, measured):
    last, mean = (
        _panels(by_layer(measured, tweaked, "activation_sparsity", "variant", epochs)) for epochs in ("last", "mean")
    )
    rows = measured[(measured["measure"] == "activation_sparsity") & (measured["layer"] != "total")]
    chosen = {"method": "random", "density": 0.02, "tweaks": "tost"}
    trained = _means(rows[rows["epoch"] == 5], tweaked, "layer", **chosen)
    place = "sgd, 2% density, random masks"
    np.testing.assert_allclose(_lines(last[place])["tost"].get_ydata(), trained)
    np.testing.assert_allclose(_lines(mean[place])["tost"].get_ydata(), _means(rows, tweaked, "layer", **chosen))
    assert [tick.get_text() for tick in last["sgd, 2% density, SNIP"].get_xticklabels()] == list(LAYERS)
    with pytest.raises(ValueError, match="`epochs` must be 'mean' or 'last'; received 'first'"):
        by_layer(measured, tweaked, "activation_sparsity", epochs="first")


def test_losses_along_are_changes_turned_so_that_they_rise_to_the_right():
    runs = make_densities(("sgd",), ("NR",), (0.1,), (0, 1), ("random",))
    x = [-1.0, 0.0, 1.0]
    columns = ["run_id", "diagnostic", "x", "y", "loss"]
    first, second = runs["run_id"]
    rows = [(first, "loss_along", a, 0.0, b) for a, b in zip(x, (3.0, 1.0, 2.0), strict=True)]
    rows += [(second, "loss_along", a, 0.0, b) for a, b in zip(x, (5.0, 4.0, 8.0), strict=True)]
    (axes,) = densities_along(pd.DataFrame(rows, columns=columns), runs).axes
    line = _lines(axes)["10%"]
    assert line.get_xdata().tolist() == x and line.get_ydata().tolist() == [1, 0, 3]
    corners = axes.collections[0].get_paths()[0].vertices
    assert sorted(set(corners[corners[:, 0] == 1][:, 1])) == [2, 4]


def test_a_network_without_a_finite_loss_of_its_own_is_left_out():
    runs = make_densities(("sgd",), ("NR",), (0.1,), (0,), ("random",))
    rows = make_landscape(runs, 3, surfaces=False)
    with pytest.raises(NotApplicableError, match="a finite loss at distance 0"):
        densities_along(rows.assign(loss=rows["loss"].where(rows["x"] != 0)), runs)
    with pytest.raises(NotApplicableError, match="must hold 'loss_surface' of these runs; received loss_along"):
        density_surfaces(rows, runs)


def test_surfaces_side_by_side_are_variants_of_the_first_seed(tweaked, landscape):
    surfaces = density_surfaces(landscape.iloc[::-1], tweaked.iloc[::-1], "variant")
    assert list(surfaces) == [
        "sgd, 2% density, random masks", "sgd, 10% density, random masks",
        "sgd, 2% density, SNIP", "sgd, 10% density, SNIP",
    ]  # fmt: skip
    surface = surfaces["sgd, 10% density, SNIP"]
    assert list(surface["network"].unique()) == ["no tweaks", "GSk", "tost"]
    run = tweaked.query("method == 'snip' and density == 0.1 and tweaks == 'GSk' and seed == 0")["run_id"].item()
    own = landscape[(landscape["run_id"] == run) & (landscape["diagnostic"] == "loss_surface")]
    assert surface.loc[surface["network"] == "GSk", "loss"].tolist()[::-1] == own["loss"].tolist()
    titles = [axes.get_title() for axes in loss_contours(surface).axes if axes.get_title()]
    assert titles == ["no tweaks", "GSk", "tost"]
    with pytest.raises(ValueError, match="`lines` must be 'variant' or 'density'; received 'method'"):
        density_surfaces(landscape, tweaked, "method")


def test_of_a_training_that_was_measured_twice_one_surface_is_drawn(tweaked, landscape):
    again = tweaked.assign(run_id=tweaked["run_id"] + "-again", landscape_steps=7)
    both = pd.concat([tweaked.assign(landscape_steps=5), again], ignore_index=True)
    finer = make_landscape(again, steps=7)
    expected = density_surfaces(landscape, tweaked, "variant")
    surfaces = density_surfaces(pd.concat([landscape, finer], ignore_index=True), both, "variant")
    assert list(surfaces) == list(expected)
    for shared, surface in surfaces.items():
        np.testing.assert_array_equal(surface[["x", "y", "loss"]], expected[shared][["x", "y", "loss"]])
        loss_contours(surface)
    second = density_surfaces(finer, both, "variant")
    assert [len(surface) for surface in second.values()] == [
        49 * surface["network"].nunique() for surface in second.values()
    ]


def test_a_diverged_seed_gives_its_place_to_the_next(tweaked, landscape):
    runs = tweaked.assign(diverged=tweaked["seed"] == 0)
    run = tweaked.query("method == 'random' and density == 0.02 and tweaks == 'none' and seed == 1")["run_id"].item()
    surface = density_surfaces(landscape, runs, "variant")["sgd, 2% density, random masks"]
    own = landscape[(landscape["run_id"] == run) & (landscape["diagnostic"] == "loss_surface")]
    assert surface.loc[surface["network"] == "no tweaks", "loss"].tolist() == own["loss"].tolist()


def test_a_study_of_one_variant_has_surfaces_of_its_densities():
    runs = make_densities(("sgd",), ("NR",), (0.1, 0.02), (0,), ("random",))
    surfaces = density_surfaces(make_landscape(runs, 3), runs)
    assert list(surfaces) == ["sgd, NR"] and list(surfaces["sgd, NR"]["network"].unique()) == ["2%", "10%"]


def _captions(results, diagnostics, landscape):
    drawn = draw_figures(["diagnostics"], results, diagnostics=diagnostics, landscape=landscape)
    return {drawing.name: drawing.caption for drawing in drawn}


def test_diagnostics_are_compared_by_what_was_measured(tweaked, measured, landscape):
    drawn = _captions(tweaked, measured, landscape)
    assert sum(name.startswith("loss_contours_") for name in drawn) == 4
    assert all("A line per variant" in drawn[name] for name in drawn if name.endswith("_over_epochs"))
    plain = tweaked.loc[tweaked["tweaks"] == "none", "run_id"]
    captions = _captions(tweaked, measured[measured["run_id"].isin(plain)], landscape.head(0))
    assert "A line per density" in captions["top_eigenvalue_over_epochs"]
    assert "median residual of the iteration is 1% of the value. A line" in captions["top_eigenvalue_over_epochs"]
    values = _captions(tweaked, measured[measured["measure"] == "top_eigenvalue"], landscape.head(0))
    assert "residual" not in values["top_eigenvalue_over_epochs"]
    assert "of largest absolute value" in values["top_eigenvalue_over_epochs"]
    assert not any(name.startswith("loss_contours") for name in captions)


def test_more_variants_than_densities_are_lines_rather_than_panels(tweaked):
    flow = make_density_flow(tweaked, 2, (0,))
    few = {d.name for d in draw_figures(["flow"], tweaked, flow=flow)}
    both = {d.name for d in draw_figures(["flow"], tweaked[tweaked["tweaks"] != "tost"], flow=flow)}
    assert both - few == {"egf_2_of_variants_over_epochs"} and "egf_2_over_epochs" in few


def test_one_row_of_many_panels_is_folded():
    runs = with_tweaks(make_densities(("sgd",), ("NR",), (0.1, 0.2), (0,)), TWEAKS)
    figure = against_size(runs, lines="method")
    places = {axes.get_title(): axes.get_position() for axes in figure.axes}
    assert list(places) == [f"sgd, {name}" for name in ("no tweaks", *TWEAKS[1:])]
    lefts, tops = ([getattr(box, end) for box in places.values()] for end in ("x0", "y1"))
    assert lefts[:3] == lefts[3:] == sorted(lefts[:3]) and len({*tops[:3]}) == 1 and tops[3:] < tops[:3]
    assert figure.get_figwidth() < 11


def test_long_lines_have_markers_at_places_of_their_own(tweaked):
    flow = make_density_flow(tweaked, 2, tuple(range(40)))
    axes = next(iter(_panels(over_epochs(flow, tweaked, lines="variant")).values()))
    assert [line.get_markevery() for line in _lines(axes).values()] == [(0, 5), (1, 5), (2, 5)]


def test_unknown_lines_are_refused(tweaked, measured):
    with pytest.raises(ValueError, match="`lines` must be 'variant' or 'density'; received 'seed'"):
        over_epochs(measured, tweaked, "top_eigenvalue", "seed")
