import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from keras_sparseflow.analysis import NotApplicableError, p_value_heatmap
from keras_sparseflow.analysis.figures.drawing.colours import p_colour


def _comparison(**columns):
    """Returns a table of two optimizers and two variants; adam BN was not run."""
    return pd.DataFrame(
        {
            "table": "cifar10, 4 hidden layers",
            "row": ["adam", "sgd", "sgd"],
            "column": ["NR", "NR", "BN"],
            "p_value": [0.25, 0.0001, np.nan],
            **columns,
        }
    )


def _texts(figure):
    """Returns what is printed in each cell, by (row, column), and its weight."""
    axes = figure.axes[0]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    found = {}
    for text in axes.texts:
        x, y = text.get_position()
        found.setdefault((rows[round(y)], columns[round(x)]), []).append((text.get_text(), text.get_weight()))
    return found


def _rectangles(figure, filled):
    patches = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    return [patch for patch in patches if patch.get_fill() == filled]


def test_each_cell_prints_its_p_value_bold_below_the_level():
    assert _texts(p_value_heatmap(_comparison())) == {
        ("adam", "NR"): [("0.250", "normal")],
        ("sgd", "NR"): [("<0.001", "bold")],
        ("sgd", "BN"): [("\N{EN DASH}", "normal")],
    }
    assert _texts(p_value_heatmap(_comparison(), alpha=0.3))["adam", "NR"] == [("0.250", "bold")]


def test_cells_have_the_papers_colours_and_significant_ones_a_frame():
    figure = p_value_heatmap(_comparison())
    assert [to_hex(patch.get_facecolor()) for patch in _rectangles(figure, filled=True)] == [
        p_colour(0.25), p_colour(0.0001),
    ]  # fmt: skip
    (frame,) = _rectangles(figure, filled=False)
    left, bottom = frame.get_xy()
    assert (left + frame.get_width() / 2, bottom + frame.get_height() / 2) == pytest.approx((0, 1))


def test_the_published_p_value_stands_beneath_and_a_star_says_that_its_variant_is_unknown():
    figure = p_value_heatmap(_comparison(published_p=[0.0, np.nan, 0.1], published_assumed=[True, False, False]))
    assert _texts(figure)["adam", "NR"] == [("0.250", "normal"), ("paper <0.001*", "normal")]
    assert len(_texts(figure)["sgd", "NR"]) == 1
    assert figure.get_supxlabel() == "* its variant is not published"
    assert p_value_heatmap(_comparison(published_p=[0.5, 0.5, 0.5])).get_supxlabel() == ""


def test_the_legend_says_what_colours_mean():
    (legend,) = p_value_heatmap(_comparison()).legends
    shown = {
        text.get_text(): handle.get_color()
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }
    assert shown["0: sparse ranks above dense"] == p_colour(0.0) and shown["0.5: neither"] == p_colour(0.5)
    assert shown["1: dense ranks above sparse"] == p_colour(1.0)


def test_rows_and_columns_stand_as_in_the_paper():
    variants = ["DA_L2_SC_BN", "BN", "NR"]
    table = _comparison(column=variants, row="sgd", p_value=0.5)
    labels = [label.get_text() for label in p_value_heatmap(table).axes[0].get_xticklabels()]
    assert [label.replace("\n", "") for label in labels] == ["NR", "BN", "DA_L2_SC_BN"]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(NotApplicableError, match="must hold a p-value; received 3 cells without a complete pair"):
        p_value_heatmap(_comparison(p_value=np.nan))
    with pytest.raises(ValueError, match=r"`comparison` must hold .* received 2 tables"):
        p_value_heatmap(_comparison(table=["one", "two", "two"]))
    with pytest.raises(ValueError, match="`comparison` must have the columns table, row, column; missing: table"):
        p_value_heatmap(_comparison().drop(columns="table"))
    with pytest.raises(ValueError, match="missing: p_value"):
        p_value_heatmap(_comparison().drop(columns="p_value"))
