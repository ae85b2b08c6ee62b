"""Reports of studies as the package records them: real specs and labels, made-up results."""

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow import records
from keras_sparseflow.analysis.frames.pairs import pair_arms
from keras_sparseflow.analysis.frames.study_source import read_source
from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.study import Study
from tests.analysis.pages import check_links, page_of

pytestmark = pytest.mark.usefixtures("undrawn")

SIZE = DataSize((8, 8, 1), 10, 1000, 100)
PAIRS = {
    "perceptrons": {"grids": [{"variant": ("NR", "BN"), "hidden_layers": (1, 3)}], "width_fractions": (0.3, 0.5, 0.9)},
    "shared": {"grids": [{"score": ("random", "magnitude"), "method": ("static", "rigl")}], "width_fractions": (0.5,)},
    "resnets": {"base": {"model": "resnet", "depth": 8}, "max_width": 2, "width_fractions": (0.3, 0.5, 0.9)},
}
WRN = {"model": "wide_resnet", "depth": 10, "width": 1}
SPARSE = {"density": (0.1, 0.2, 1.0)}
DENSITIES = {
    "wide_resnets": {
        "base": {**WRN, "ends": "dense"},
        "grids": [
            {**SPARSE, "score": ("random", "snip"), "variant": ("SC_BN", "L2_SC_BN")},
            {**SPARSE, "method": ("lottery",), "distribution": ("global",), "tweaks": ("none", "GSk_LS")},
            {**SPARSE, "method": ("magnitude", "rigl")},
        ],
    },
    "perceptrons_over_densities": {"base": {"width": 20}, "grids": [{**SPARSE, "optimizer": ("sgd", "adam")}]},
}


@pytest.fixture
def recorded(tmp_path):
    """Writes a study with made-up results; returns it and its folder."""

    def write(name, comparison, **values):
        study = Study(name=name, title="", comparison=comparison, seeds=(0, 1), **values)
        members, rng = study.members(SIZE), np.random.default_rng(0)
        (tmp_path / name).mkdir()
        records.write_json(tmp_path / name / "study.json", study.record(members, ""))
        for spec in study.specs(SIZE):
            folder, flow = records.RunFolder(tmp_path / name, spec.run_id), rng.uniform(1, 2)
            folder.start({"run_id": spec.run_id, "spec": spec.to_dict(), "active_weights": [10, 20]})
            measured = {"epoch": 0, "reading": "end", "measure": "egf_2", "value": flow}
            rows = [{**measured, "layer": layer} for layer in ("hidden_1", "output", "total")]
            result = {"test_accuracy": rng.uniform(0.5, 1), "test_loss": rng.uniform(), "diverged": False}
            result |= {"best_test_accuracy": 1.0, "train_loss": 0.1, "train_accuracy": 1.0, "epochs_run": 1}
            result |= {"seconds": 1.0, "active_weights": 30, "flow_reading": "end", "egf_2": flow}
            last = {"loss": 0.1, "accuracy": 1.0} | {name: result[name] for name in ("test_loss", "test_accuracy")}
            folder.finish(result, {"history": [{"epoch": 0, **last}], "flow": rows})
        return study, tmp_path / name

    return write


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_are_matched_and_reported(name, recorded):
    study, folder = recorded(name, "pairs", **PAIRS[name])
    pairs = pair_arms(read_source(folder, "test_accuracy", None, "worst", figures=False).results)
    assert len(pairs) == len(study.members(SIZE)) / 2 and pairs[["sparse", "dense"]].notna().all(axis=None)
    page = page_of(folder)
    check_links(page, folder)
    assert f"{len(study.specs(SIZE))} of {len(study.specs(SIZE))} planned" in page.text("table", id="cost")
    assert page.sections[0] == "p_values" and {"means", "correlations"} <= set(page.sections)
    assert "unequal numbers" not in page.text("main", id="top")
    cells = pd.read_csv(folder / "report" / "p_values.csv")
    assert cells["pairs"].sum() == len(pairs) and cells["incomplete_pairs"].sum() == 0
    assert set(pd.read_csv(folder / "report" / "correlations.csv")["measure"]) == {"egf_2"}


@pytest.mark.parametrize("name", DENSITIES)
def test_networks_over_densities_are_reported(name, recorded):
    study, folder = recorded(name, "densities", **DENSITIES[name])
    page = page_of(folder)
    check_links(page, folder)
    assert page.sections[0] == "densities" and "means" in page.sections
    text = page.text("main", id="top")
    assert "nan x" not in text and ("lottery tickets (global) 300" in text) == (name == "wide_resnets")
    means = pd.read_csv(folder / "report" / "densities.csv")
    assert means["n"].sum() == len(study.specs(SIZE)) and set(means["density"]) == {0.1, 0.2, 1.0}
    assert set(pd.read_csv(folder / "report" / "correlations.csv")["measure"]) == {"egf_2"}
    choices = {text for _, text in page.find("th", scope="row")}
    for choice in ("rewind_step", "prune_from", "move_frequency", "ghost_decay", "label_smoothing", "depth"):
        assert (choice in choices) == (name == "wide_resnets"), f"{choice}, where it applies to some run"
    assert ("hidden_layers" in choices) == (name != "wide_resnets")
