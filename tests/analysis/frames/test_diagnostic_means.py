"""Diagnostics as numbers: means over the seeds, and the epoch of trained networks."""

import pandas as pd

from keras_sparseflow.analysis.frames.diagnostic_means import last_epochs, tabulate_diagnostics
from tests.analysis.densities import make_densities


def _rows(*rows):
    return pd.DataFrame(rows, columns=["run_id", "epoch", "measure", "layer", "value"])


def test_means_are_over_the_seeds_that_did_not_diverge():
    results = make_densities(("sgd",), ("NR",), (0.1, 1.0), (0, 1, 2), ("random",))
    results.loc[2, "diverged"] = True
    rows = _rows(
        *((run, epoch, "top_eigenvalue", "total", value + epoch)
          for run, value in zip(results["run_id"], (1.0, 3.0, 50.0, 5.0, 6.0, 10.0), strict=True) for epoch in (0, 9))
    )  # fmt: skip
    table = tabulate_diagnostics(rows, results)
    assert table[["density", "epoch", "mean", "min", "max", "n"]].to_numpy().tolist() == [
        [0.1, 0, 2, 1, 3, 2], [0.1, 9, 11, 10, 12, 2], [1, 0, 7, 5, 10, 3], [1, 9, 16, 14, 19, 3],
    ]  # fmt: skip
    assert set(table["line"]) == {"NR"} and set(table["layer"]) == {"total"}
    assert tabulate_diagnostics(_rows(), results).empty


def test_a_training_that_was_measured_twice_counts_once_by_measure():
    results = make_densities(("sgd",), ("NR",), (0.1,), (0,), ("random",))
    twice = pd.concat([results.assign(run_id=name, diagnostics=name) for name in "ab"], ignore_index=True)
    twice.attrs["spec_columns"] = ["seed", "diagnostics"]
    rows = _rows(
        ("a", 0, "top_eigenvalue", "total", 1.0),
        ("b", 0, "top_eigenvalue", "total", 3.0),
        ("b", 0, "activation_sparsity", "total", 0.5),
    )
    table = tabulate_diagnostics(rows, twice)
    assert table[["measure", "mean", "n"]].to_numpy().tolist() == [
        ["top_eigenvalue", 1.0, 1], ["activation_sparsity", 0.5, 1],
    ]  # fmt: skip


def test_each_run_has_its_own_last_epoch():
    rows = _rows(("a", 0, "m", "total", 1.0), ("a", 4, "m", "total", 2.0), ("b", 0, "m", "total", 3.0))
    assert last_epochs(rows)["value"].tolist() == [2.0, 3.0]
