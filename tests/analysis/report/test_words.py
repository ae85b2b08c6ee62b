"""Words of a report: settings, times and counts, and abbreviations that explain themselves."""

import re

import numpy as np
import pytest

from keras_sparseflow.analysis.report.words import (
    ABBREVIATIONS,
    abbreviations_in,
    duration,
    explained,
    how_counted,
    in_words,
    listed,
    number_range,
    scaled_down,
    settings,
    slug,
)


def test_what_was_scaled_down_is_said():
    study = {
        "preset": "table_4",
        "reproduces": "Table 4",
        "overrides": [
            {"choice": "epochs", "preset": 500, "here": 25},
            {"choice": "train_size", "preset": None, "here": 2000},
        ],
    }
    assert scaled_down(study) == [
        "This study is the preset table_4 (Table 4) with 2 choices changed: "
        "epochs 25 (preset: 500), train_size 2000 (preset: none)."
    ]
    assert scaled_down({"preset": "demo", "overrides": []}) == [
        "This study is the preset demo, at full size and unchanged."
    ]
    for nothing in ({}, {"preset": None, "overrides": None}, {"name": "old"}):
        assert scaled_down(nothing) == []


def test_settings_list_what_was_trained(make_results):
    results = make_results(("adam",), ("NR",), widths=range(1, 21), l2=1e-4, unused=None)
    results["measures"] = [["egf_1", "egf_2"] for _ in range(len(results))]
    columns = ["run_id", "arm", "dense_width", "l2", "unused", "measures"]
    assert settings(results, columns) == {
        "arm": "dense, sparse",
        "dense_width": "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 8 more",
        "l2": "0.0001",
        "measures": "egf_1, egf_2",
    }


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.25, "0.2 s"),
        (59.0, "59.0 s"),
        (150, "2 min"),
        (3570, "1 h 0 min"),
        (4210, "1 h 10 min"),
        (np.nan, "unknown"),
        (None, "unknown"),
    ],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "none"),
        (np.nan, "none"),
        (True, "yes"),
        (False, "no"),
        (1e-4, "0.0001"),
        (128, "128"),
        ("He", "He"),
        ([], "none"),
        ([1, "a"], "1, a"),
        ({"a": None}, "a: none"),
    ],
)
def test_values_in_words(value, words):
    assert in_words(value) == words


def test_the_first_of_each_abbreviation_is_explained_and_parts_of_words_are_not():
    markup = explained("EGF of BN, then EGF and DA_BN; BNs, tau, status, L2_BN")
    assert re.findall(r'<abbr title="[^"]+">(\w+)</abbr>', markup) == ["EGF", "BN", "DA", "tau", "L2"]
    assert re.sub("<[^>]+>", "", markup) == "EGF of BN, then EGF and DA_BN; BNs, tau, status, L2_BN"
    assert explained("No such thing: a &lt;b&gt;") == "No such thing: a &lt;b&gt;"


def test_the_legend_has_the_abbreviations_that_occur():
    held = abbreviations_in(["tau of EGF", "sgd, SC_BN", "Holm"])
    assert list(held) == [name for name in ABBREVIATIONS if name in {"tau", "EGF", "SC", "BN", "Holm"}]
    assert abbreviations_in(["nothing of the kind"]) == {}


def test_long_lists_are_cut_and_counted():
    assert listed(["a", "b"]) == "a, b" and listed(["a, b", "c"]) == "a, b; c"
    assert listed(list("abcdef"), most=4) == "a, b, c, d and 2 more"
    assert number_range([3]) == "3" and number_range([3, 5, 15]) == "3 to 15"
    assert slug("p-values", "a&b_%, 2 layers") == "p-values-a-b-2-layers"


def test_how_diverged_runs_count_is_said():
    assert "worst possible test accuracy (0)" in how_counted("test_accuracy", "worst")
    assert "worst possible test loss (infinity)" in how_counted("test_loss", "worst")
    assert "left out" in how_counted("test_accuracy", "drop")
