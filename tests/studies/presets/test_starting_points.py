"""Recipes of small networks: nothing refuses them, for every architecture of the package."""

import pytest

from keras_sparseflow.data import data_size
from keras_sparseflow.studies.executors.options import DEFAULT_OPTIONS
from keras_sparseflow.studies.presets.starting_points import STARTING_POINTS, starting_point, study_from
from keras_sparseflow.studies.refusals import check_specs
from keras_sparseflow.studies.size.cost import cost
from keras_sparseflow.studies.spec.name_tables import MODELS
from keras_sparseflow.studies.spec.run_spec import RunSpec

DIGITS = data_size("digits", data_dir=None, image_size=None, train_size=None)


def test_every_architecture_of_the_package_has_one():
    assert set(STARTING_POINTS) == set(MODELS.builtins) and starting_point("of another package") == {}


@pytest.mark.parametrize("model", STARTING_POINTS)
def test_networks_sparse_and_dense_can_be_trained_on_digits_and_are_small(model):
    size = {"width": 68} if model == "mlp" else {}
    specs = [RunSpec.of(model=model, **size, **starting_point(model), density=density) for density in (0.1, 1.0)]
    check_specs(specs, DIGITS, DEFAULT_OPTIONS)
    assert cost(specs[1:], DIGITS).flops < 3e12


def test_a_study_of_pairs_has_the_width_as_the_sparse_arms():
    study = study_from("vit", name="s", title="", base={"epochs": 3})
    assert (study.max_width, study.value("epochs"), study.grids[0]["optimizer"]) == (3, 3, ("adam",))
    assert (
        "width" not in study.base and study_from("vit", name="s", title="", comparison="densities").value("width") == 3
    )
