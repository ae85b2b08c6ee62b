import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from keras_sparseflow.analysis import NotApplicableError, effects, figure_bytes
from keras_sparseflow.analysis.figures.forest import VERDICTS
from tests.analysis.texts import overlaps, shown_texts


def _effects(count=5, **columns):
    rng = np.random.default_rng(0)
    effect = rng.normal(0, 0.02, count)
    made = pd.DataFrame(
        {
            "label": [f"momentum, DA_L2_SC_BN {place}" for place in range(count)],
            "effect": effect,
            "low": effect - 0.01,
            "high": effect + 0.02,
            "verdict": [list(VERDICTS)[place % len(VERDICTS)] for place in range(count)],
            "published": [0.05 if place % 2 else np.nan for place in range(count)],
            "pairs": 15,
        }
    )
    made.loc[made["verdict"] == "not testable here", ["effect", "low", "high"]] = np.nan
    return made.assign(**columns)


def _lines(figure):
    return {line.get_label(): line for line in figure.axes[0].get_lines() if not line.get_label().startswith("_")}


def test_each_effect_stands_in_its_row_with_its_interval_and_the_look_of_its_verdict():
    frame = _effects().assign(mean=0.5).set_index(pd.Index([9, 8, 7, 6, 5]))  # what else there is counts for nothing
    figure = effects(frame)
    frame = frame.reset_index(drop=True)
    lines = _lines(figure)
    for place, row in frame.iloc[:4].iterrows():
        line = lines[row["verdict"]]
        assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([row["effect"]], [place])
        look = (to_hex(line.get_color()), line.get_marker())
        assert look == (VERDICTS[row["verdict"]]["color"], VERDICTS[row["verdict"]]["marker"])
    bars = [segment.tolist() for bar in figure.axes[0].collections for segment in bar.get_segments()]
    ends = zip(frame["low"][:4], frame["high"][:4], strict=True)
    assert bars == [[[low, place], [high, place]] for place, (low, high) in enumerate(ends)]
    assert figure.axes[0].get_yticklabels()[0].get_text() == f"{frame['label'][0]} (15)"


def test_verdicts_are_told_apart_without_colour():
    assert len({look["marker"] for look in VERDICTS.values()}) == len(VERDICTS) == 5


def test_what_cannot_be_tested_is_a_cross_at_the_edge_and_a_published_effect_a_ring():
    lines = _lines(effects(_effects()))
    assert lines["not testable here"].get_ydata().tolist() == [4] and lines["not testable here"].get_xdata()[0] < 0.1
    ring = lines["published"]
    assert (ring.get_xdata().tolist(), ring.get_ydata().tolist()) == ([0.05, 0.05], [1, 3])
    assert ring.get_fillstyle() == "none"
    assert "published" not in _lines(effects(_effects().drop(columns=["published", "pairs"])))


@pytest.mark.parametrize("count", [1, 2, 24, 60])
def test_many_rows_and_one_can_be_read_on_a_page_and_on_a_telephone(count):
    figure = effects(_effects(count))
    for shown, least, most in ((figure, 7.2, 7.6), (figure.narrow, 4.2, 4.6)):
        assert least < shown.get_figwidth() < most and overlaps(shown, shown_texts(shown)) == []
        low, high = shown.axes[0].get_xlim()
        assert low < 0 < high
    assert figure_bytes(figure) == figure_bytes(effects(_effects(count)))


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(NotApplicableError, match="at least one effect"):
        effects(_effects().head(0))
    with pytest.raises(ValueError, match=r"must be one of yes, .*; received 'maybe'"):
        effects(_effects(verdict="maybe"))
    with pytest.raises(ValueError, match="missing: low"):
        effects(_effects().drop(columns="low"))
