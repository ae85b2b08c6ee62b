"""Differences of a study's conditions from the paper's, as phrases."""

from keras_sparseflow.analysis.published.conditions import published_differences
from keras_sparseflow.analysis.report.tables.pair_tables import tabulate


def test_differences_from_the_papers_conditions(make_results):
    results = make_results(("adam",), ("NR", "BN"), widths=(7, 20)).assign(dataset="cifar10", hidden_layers=4)
    results = results.assign(train_size=2000, image_size=8)
    assert published_differences(results, tabulate(results)) == [
        "30 epochs on cifar10 (paper: 1000)",
        "2000 training images (paper: all)",
        "images of 8 x 8 pixels (paper: the original size)",
        "6 pairs per cell (paper: 15)",
    ]
    held = results.assign(validation_size=500, train_size=None, image_size=None)
    assert "500 training images held out (paper: none)" in published_differences(held, tabulate(held))
    same = make_results(("adam",)).assign(dataset="cifar10", hidden_layers=4, epochs=1000)
    assert published_differences(same, tabulate(same)) == []
    digits = make_results()
    assert published_differences(digits, tabulate(digits)) == []


def test_range_of_pairs_is_given_where_cells_differ(make_results):
    results = make_results(("adam",), ("NR", "BN")).assign(dataset="cifar10", hidden_layers=4, epochs=1000)
    less = (results["variant"] == "BN") & (results["seed"] == 2)
    assert published_differences(results[~less], tabulate(results[~less])) == ["10 to 15 pairs per cell (paper: 15)"]
