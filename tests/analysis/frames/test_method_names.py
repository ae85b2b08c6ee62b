"""Names of methods and tweaks: one each, made of what was trained."""

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.frames.densities import arrange_densities
from keras_sparseflow.analysis.frames.method_names import method_name, name_methods, name_tweaks
from tests.analysis.densities import make_densities, with_tweaks


def test_methods_have_one_name_each_made_of_method_score_and_distribution():
    rows = [
        ("static", "random", "uniform"), ("static", "magnitude", "global"), ("static", "snip", "erk"),
        ("rigl", "random", "erk"), ("set", "grasp", "uniform"), ("magnitude", "random", "uniform"),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["method", "score", "distribution"]).assign(seed=0, density=0.1)
    frame.attrs["spec_columns"] = list(frame)
    named = name_methods(frame)
    assert named["method"].tolist() == [
        "random (uniform)", "magnitude_masks (global)", "snip (erk)", "rigl (erk)", "set_from_grasp (uniform)",
        "magnitude",
    ]  # fmt: skip
    assert named["plain_method"].tolist() == [
        "random", "magnitude_masks", "snip", "rigl", "set_from_grasp", "magnitude",
    ]  # fmt: skip
    assert named.attrs["spec_columns"] == ["method", "seed", "density"] and name_methods(named) is named
    assert name_methods(frame[::5])["method"].tolist() == ["random", "magnitude"]
    assert [method_name(name) for name in named["method"]] == [
        "random masks (uniform)", "magnitude at initialisation (global)", "SNIP (ERK)", "RigL (ERK)",
        "SET from GraSP (uniform)", "magnitude pruning",
    ]  # fmt: skip


def test_dense_networks_are_named_after_sparse_ones():
    rows = [
        ("static", "random", "uniform", 1.0), ("static", "synflow", "global", 0.1), ("static", "snip", "global", 0.1),
        ("rigl", "random", "erk", 0.1), ("lottery", "random", "uniform", 1.0), ("lottery", "random", "global", 0.5),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["method", "score", "distribution", "density"])
    assert name_methods(frame)["method"].tolist() == [
        "snip (global)", "synflow (global)", "snip (global)", "rigl (erk)", "lottery (global)", "lottery (global)",
    ]  # fmt: skip
    assert name_methods(frame)["plain_method"].tolist() == ["snip", "synflow", "snip", "rigl", "lottery", "lottery"]
    assert name_methods(frame.iloc[[0, 3]])["method"].tolist() == ["rigl (erk)", "rigl (erk)"], "of another method"
    assert name_methods(frame[:1])["method"].tolist() == ["random"]


def test_schedules_of_ghosts_are_told_apart_where_a_study_has_several():
    runs = pd.DataFrame(
        {
            "tweaks": ["none", "LS", "GSk", "GSk", "tost", "GSw"],
            "ghost_decay": ["cosine", "cosine", "cosine", "none", "abrupt", "linear"],
            "ghost_until": [0.5, 0.5, 0.5, 0.5, 0.95, 0.75],
            "ghost_activation": ["swish", "swish", "swish", "swish", "mish", "swish"],
        }
    )
    named = name_tweaks(runs)
    assert named["tweaks"].tolist() == [
        "none", "LS", "GSk (cosine to 50%)", "GSk (staying)", "tost (mish, abrupt at 95%)",
        "GSw (swish, linear to 75%)",
    ]  # fmt: skip
    assert list(named) == ["tweaks"]
    one = runs.assign(ghost_decay="cosine", ghost_until=0.5)
    assert list(name_tweaks(one)) == ["tweaks", "ghost_decay", "ghost_until"], "it has several activations alone"
    alike = one.assign(ghost_activation="swish")
    assert name_tweaks(alike) is alike


def test_soft_activations_are_told_apart_and_part_no_table():
    runs = with_tweaks(make_densities(("sgd",), ("NR",), (0.01, 0.1), (0, 1, 2), ("random",)), ("none", "GSw")).assign(
        ghost_activation="swish"
    )
    mish = runs[runs["tweaks"] == "GSw"].assign(ghost_activation="mish", run_id=lambda rows: rows["run_id"] + "-mish")
    both = pd.concat([runs, mish], ignore_index=True)
    named = name_tweaks(both)
    placed = arrange_densities(named)
    assert placed["table"].nunique() == 1
    assert list(placed["line"].unique()) == ["no tweaks", "GSw (mish)", "GSw (swish)"]
    assert name_tweaks(runs) is runs
    old = both.assign(tweaks=np.where(both["tweaks"] == "none", None, both["tweaks"]))
    assert name_tweaks(old)["tweaks"].dropna().tolist() == named.loc[named["tweaks"] != "none", "tweaks"].tolist()
