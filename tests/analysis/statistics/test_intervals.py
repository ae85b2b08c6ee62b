import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from keras_sparseflow.analysis.statistics.intervals import bootstrap_by, bootstrap_mean


def test_interval_equals_scipys_up_to_the_draw():
    values = np.random.default_rng(1).gamma(2.0, size=15)
    ours = np.array(bootstrap_mean(values, resamples=40_000, seed=3))
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=40_000, rng=np.random.default_rng(4)
    ).confidence_interval
    error = values.std() / np.sqrt(15)
    assert np.abs(ours - [theirs.low, theirs.high]).max() < 0.04 * error
    assert ours[0] < values.mean() - 1.5 * error < values.mean() + 1.5 * error < ours[1]


def test_two_values_by_hand():
    # Means of a resample: 0, 0.5, 0.5, 1 with a quarter each. The interval at 0.4 holds the middle half alone.
    assert bootstrap_mean([1.0, 0.0], level=0.95) == (0.0, 1.0)
    assert bootstrap_mean([1.0, 0.0], level=0.4) == (0.5, 0.5)


def test_three_values_give_their_range_at_the_usual_level():
    # P(all three the smallest) = 1/27 = 3.7% > 2.5%; at level 0.9, 5% are not reached by it alone.
    values = [0.71, 0.92, 0.8]
    assert bootstrap_mean(values) == (0.71, 0.92)
    low, high = bootstrap_mean(values, level=0.9)
    assert (low, high) == (pytest.approx((0.71 + 0.71 + 0.8) / 3), pytest.approx((0.92 + 0.92 + 0.8) / 3))


def test_a_single_value_has_no_interval():
    assert np.isnan(bootstrap_mean([0.5])).all()
    assert np.isnan(bootstrap_mean([])).all()
    assert np.isnan(bootstrap_mean([np.nan, 0.5, np.inf])).all()


def test_missing_values_are_left_out():
    assert bootstrap_mean([0.1, np.nan, 0.4, 0.2]) == bootstrap_mean([0.1, 0.4, 0.2])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=2, max_size=9), st.randoms())
def test_interval_lies_within_the_values_whatever_their_order(values, random):
    low, high = bootstrap_mean(values, resamples=200)
    assert min(values) <= low <= high <= max(values)
    shuffled = random.sample(values, len(values))
    assert bootstrap_mean(shuffled, resamples=200) == (low, high)


def test_level_resamples_and_seed_matter():
    values = np.random.default_rng(0).normal(size=20)
    first = bootstrap_mean(values)
    assert bootstrap_mean(values) == first
    assert bootstrap_mean(values, seed=1) != first
    assert bootstrap_mean(values, resamples=50) != first
    low, high = bootstrap_mean(values, level=0.5)
    assert first[0] < low < high < first[1]


def test_intervals_of_five_percent_miss_about_as_often_as_they_say():
    rng = np.random.default_rng(7)
    samples = pd.DataFrame({"sample": np.repeat(np.arange(600), 40), "value": rng.normal(3.0, 2.0, 24_000)})
    table = bootstrap_by(samples, ["sample"], "value", resamples=500)
    covered = ((table["low"] < 3.0) & (table["high"] > 3.0)).mean()
    assert 0.90 < covered < 0.97


def test_groups_equal_the_single_interval():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {"arm": ["sparse"] * 8 + ["dense"] * 5, "epoch": [0] * 3 + [1] * 5 + [0] * 5, "value": rng.normal(size=13)}
    )
    table = bootstrap_by(frame.sample(frac=1, random_state=0), ["arm", "epoch"], "value")
    assert table.columns.tolist() == ["arm", "epoch", "mean", "low", "high", "min", "max", "std", "n"]
    assert table[["arm", "epoch", "n"]].values.tolist() == [["dense", 0, 5], ["sparse", 0, 3], ["sparse", 1, 5]]
    for row in table.to_dict("records"):
        inside = frame.loc[(frame["arm"] == row["arm"]) & (frame["epoch"] == row["epoch"]), "value"]
        assert (row["low"], row["high"]) == pytest.approx(bootstrap_mean(inside), rel=1e-12)
        expected = [inside.mean(), inside.min(), inside.max(), inside.std()]
        assert [row[c] for c in ("mean", "min", "max", "std")] == pytest.approx(expected)


def test_groups_without_values_keep_their_row():
    frame = pd.DataFrame({"width": [1, 1, 2, None], "value": [np.nan, np.inf, 0.5, 0.25]})
    table = bootstrap_by(frame, ["width"], "value")
    assert table["n"].tolist() == [0, 1, 1]
    assert table["mean"].tolist()[1:] == [0.5, 0.25]
    assert table[["low", "high"]].isna().all(axis=None)
    assert bootstrap_by(frame.iloc[:0], ["width"], "value").empty


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"`values` must be a vector; received the shape \(1, 2\)"):
        bootstrap_mean([[1, 2]])
    with pytest.raises(ValueError, match=r"`level` must be in \(0, 1\); received 95"):
        bootstrap_mean([1, 2], level=95)
    with pytest.raises(ValueError, match="`resamples` must be at least 1; received 0"):
        bootstrap_mean([1, 2], resamples=0)
    with pytest.raises(ValueError, match="`frame` must have .*missing: arm"):
        bootstrap_by(pd.DataFrame({"value": [1.0]}), ["arm"], "value")
