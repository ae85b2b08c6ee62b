import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.frames.pairs import mean_by_width
from keras_sparseflow.analysis.report.tables.pair_tables import tabulate, tabulate_means, write_tables
from keras_sparseflow.analysis.statistics.paired_tests import compare_arms
from keras_sparseflow.analysis.statistics.signed_rank import wilcoxon_signed_rank


def test_a_file_per_cell_holds_the_pairs_behind_its_p_value(make_results, tmp_path):
    results = make_results()
    paths = write_tables(results, tmp_path / "report")
    assert [path.name for path in paths] == [
        "p_values.csv",
        "means.csv",
        "pairs_digits-2-0.001-relu-NR-adam.csv",
        "pairs_digits-2-0.001-relu-BN-adam.csv",
        "pairs_digits-2-0.001-relu-NR-sgd.csv",
        "pairs_digits-2-0.001-relu-BN-sgd.csv",
    ]
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted(path.name for path in paths)
    table = pd.read_csv(paths[0])
    expected = compare_arms(results).set_index(["optimizer", "variant"])
    for row in table.to_dict("records"):
        pairs = pd.read_csv(tmp_path / "report" / row["pairs_file"])
        assert len(pairs) == row["pairs"] == 15
        assert set(pairs["optimizer"]) == {row["optimizer"]} and set(pairs["variant"]) == {row["variant"]}
        assert wilcoxon_signed_rank(pairs["sparse"], pairs["dense"]).p_value == pytest.approx(row["p_value"])
        assert row["p_value"] == pytest.approx(expected.loc[(row["optimizer"], row["variant"]), "p_value"])
        assert row["median_difference"] == pytest.approx(pairs["difference"].median())
    assert len(pd.read_csv(paths[1])) == 4 * 2 * 5


def test_files_of_cells_with_like_names_stay_apart(make_results, tmp_path):
    results = pd.concat([make_results(("a b", "a/b", "A-b"), ("NR",), widths=(7, 20))])
    names = tabulate(results)["pairs_file"].tolist()
    assert len({name.lower() for name in names}) == 3
    write_tables(results, tmp_path)
    for row in pd.read_csv(tmp_path / "p_values.csv").to_dict("records"):
        assert set(pd.read_csv(tmp_path / row["pairs_file"])["optimizer"]) == {row["optimizer"]}


def test_published_values_stand_beside_ours_for_the_accuracy_alone(make_results):
    results = make_results(("adam", "lion"), ("NR",)).assign(dataset="cifar100", hidden_layers=4)
    assert tabulate(results)["published_p"].fillna(-1).tolist() == [0.0, -1]
    assert tabulate(results, "test_loss")["published_p"].isna().all()


def test_published_values_say_which_table_they_are_from(make_results):
    results = make_results(("adam",), ("NR",)).assign(dataset="cifar100", hidden_layers=4)
    (row,) = tabulate(results).to_dict("records")
    assert row["published_table"] == "3a, 6a" and row["published_assumed"] is False


def test_means_are_in_the_papers_order_with_their_flow(make_results):
    results = make_results(("sgd", "adam"), ("BN", "NR"), widths=(20, 7))
    table = tabulate_means(results, "test_accuracy", "egf_2")
    order = table[["row", "column", "dense_width", "arm"]].to_numpy().tolist()
    assert order[:4] == [["adam", "NR", 7, "sparse"], ["adam", "NR", 7, "dense"], *order[2:4]]
    assert [place[:2] for place in order[::4]] == [["adam", "NR"], ["adam", "BN"], ["sgd", "NR"], ["sgd", "BN"]]
    for mean in table.to_dict("records"):
        same = (
            results[["optimizer", "variant", "dense_width", "arm"]]
            == [mean[c] for c in ("row", "column", "dense_width", "arm")]
        ).all(axis=1)
        assert mean["mean"] == pytest.approx(results.loc[same, "test_accuracy"].mean())
        assert mean["flow"] == pytest.approx(results.loc[same, "egf_2"].mean())
    assert tabulate_means(results)["flow"].isna().all()


def test_cells_without_a_pair_get_an_empty_file(make_results, tmp_path):
    paths = write_tables(make_results(("adam",), ("NR",), arms=("sparse",)), tmp_path)
    assert np.isnan(pd.read_csv(paths[0])["p_value"]).all()
    pairs = pd.read_csv(paths[2])
    assert pairs.empty and "difference" in pairs


def test_files_hold_the_result_and_the_treatment_of_diverged_runs_that_were_asked_for(tmp_path, make_results):
    results = make_results(("sgd",), ("NR",))
    results.loc[:1, "diverged"] = True
    write_tables(results, tmp_path, value="test_loss", diverged="drop")
    cells = pd.read_csv(tmp_path / "p_values.csv")
    assert cells[["pairs", "dropped_pairs", "sparse_diverged", "dense_diverged"]].values.tolist() == [[14, 1, 1, 1]]
    assert cells["p_value"].item() == compare_arms(results, value="test_loss", diverged="drop")["p_value"].item()
    assert pd.read_csv(tmp_path / "means.csv")["mean"].tolist() == pytest.approx(
        mean_by_width(results, "test_loss")["mean"].tolist()
    )
    (pairs,) = tmp_path.glob("pairs_*.csv")
    assert len(pd.read_csv(pairs)) == 14
