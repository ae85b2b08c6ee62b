import itertools

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis import (
    NotApplicableError,
    figure_bytes,
    loss_contours,
    loss_surfaces,
    losses_along,
    write_figures,
)
from keras_sparseflow.analysis.figures.drawing.colours import ON_DARK, SEQUENCE
from keras_sparseflow.analysis.figures.drawing.svg import page_markup

GRID = np.linspace(-1, 1, 9)


def _surface(scale=1.0, **columns):
    y, x = (axis.ravel() for axis in np.meshgrid(GRID, GRID, indexing="ij"))
    return pd.DataFrame({"x": x, "y": y, "loss": 1 + scale * (x**2 + 3 * y**2), **columns})


def _both():
    return pd.concat([_surface(4.0, network="plain"), _surface(1.0, network="ToST")])


def _lines():
    of = [
        pd.DataFrame({"distance": GRID, "loss": 0.5 + s * GRID**2, "network": n}) for n, s in (("a", 3.0), ("b", 1.0))
    ]
    return pd.concat(of)


def test_lines_are_changes_from_the_weights_own_loss_or_the_losses():
    (axes,) = losses_along(_lines()).axes
    lines = {line.get_label(): line for line in axes.get_lines() if line.get_label() != "_grid"}
    assert list(lines) == ["a", "b"]
    np.testing.assert_allclose(lines["a"].get_xdata(), GRID)
    np.testing.assert_allclose(lines["a"].get_ydata(), 3 * GRID**2)
    figure = losses_along(_lines().query("network == 'b'").drop(columns="network"), change=False)
    (line,) = [line for line in figure.axes[0].get_lines() if line.get_label() != "_grid"]
    np.testing.assert_allclose(line.get_ydata(), 0.5 + GRID**2)
    assert not figure.legends, "one network needs no name"
    named = losses_along(_lines().assign(network=lambda lines: "_" + lines["network"]))
    assert [text.get_text() for text in named.legends[0].get_texts()] == ["_a", "_b"]


def test_contours_of_all_networks_have_the_same_levels_and_pass_where_the_loss_is_theirs():
    first, second = loss_contours(_both(), levels=4).axes
    assert (first.get_title(), second.get_title()) == ("plain", "ToST")
    drawn = [axes.collections[0] for axes in (first, second)]
    expected = np.geomspace(1, 17, 6)[1:-1]
    for contours, scale in zip(drawn, (4, 1), strict=True):
        np.testing.assert_allclose(contours.levels, expected)
        for level, path in zip(contours.levels, contours.get_paths(), strict=True):
            x, y = path.vertices.T
            np.testing.assert_allclose(1 + scale * (x**2 + 3 * y**2), level, atol=0.1 * scale)
    assert len(drawn[0].get_paths()[0].vertices) > 5
    assert not len(drawn[1].get_paths()[-1].vertices), "its losses stay below"
    lower = loss_contours(_both(), levels=3, highest=5.0).axes[0].collections[0]
    np.testing.assert_allclose(lower.levels, [2, 3, 4])


def test_ticks_of_panels_beside_each_other_do_not_overlap():
    figure = loss_contours(pd.concat([_surface(1.0, network=name) for name in "abc"]))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for axes in figure.axes for text in axes.get_xticklabels()]
    assert len(boxes) >= 9
    assert all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes))


def test_surfaces_share_their_scale_and_are_cut_off_at_the_highest_loss():
    first, second = loss_surfaces(_both(), highest=6.0).axes
    assert first.get_zlim() == second.get_zlim() == (1, 6)
    heights = [np.asarray(axes.collections[0]._faces)[..., 2] for axes in (first, second)]
    assert (heights[0].min(), heights[0].max()) == (1, 6) and heights[1].max() == 5
    whole = loss_surfaces(_surface(4.0)).axes[0]
    assert whole.get_zlim() == (1, 17)


@pytest.mark.filterwarnings("error")
def test_losses_that_are_not_finite_leave_the_rest_as_it_is(tmp_path):
    surface = _surface()
    surface.loc[surface["x"] == 1, "loss"] = np.inf
    surface.loc[surface["x"] == -1, "loss"] = np.nan
    lines = _lines()
    lines.loc[lines["distance"] == 1, "loss"] = np.inf
    figures = {"contours": loss_contours(surface), "surface": loss_surfaces(surface), "lines": losses_along(lines)}
    assert figures["contours"].axes[0].collections[0].levels.max() < 1 + 0.75**2 + 3
    assert figures["surface"].axes[0].get_zlim()[1] == pytest.approx(1 + 0.75**2 + 3)
    assert len(write_figures(figures, tmp_path, dpi=30)) == 6


def test_the_same_numbers_give_the_same_bytes_and_colours_have_ones_for_a_dark_page():
    figure = loss_surfaces(_surface())
    assert figure_bytes(figure) == figure_bytes(loss_surfaces(_surface()))
    markup = page_markup(figure_bytes(figure), "f", "a surface")
    assert not [colour for colour in (*ON_DARK, *SEQUENCE) if colour in markup]
    assert all(f"var(--c{colour[1:]})" in markup for colour in list(SEQUENCE)[:3])


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="missing: loss"):
        losses_along(_lines().drop(columns="loss"))
    with pytest.raises(NotApplicableError, match="must hold a finite loss; received 81 rows"):
        loss_contours(_surface().assign(loss=np.nan))
    with pytest.raises(NotApplicableError, match="must hold losses that differ"):
        loss_surfaces(_surface(0.0))
    with pytest.raises(ValueError, match=r"a whole grid once; received 80 points of 81"):
        loss_contours(_surface().iloc[:-1])
    with pytest.raises(ValueError, match=r"one finite loss at distance 0 of network 'a'.*received \[\]"):
        losses_along(_lines().query("distance != 0"))
    with pytest.raises(ValueError, match="`levels` must be at least 2; received 1"):
        loss_contours(_surface(), levels=1)
