"""Recipes by which small networks learn: where a study or a single network begins that no paper describes."""

from typing import Any

from keras_sparseflow.studies.study import GRID_FIELDS, Grid, Study

_PUBLISHED = {"variant": "SC_BN", "optimizer": "momentum", "learning_rate": 0.1, "schedule": "wide_resnet"}
"""Fields of Wide ResNets: skip connections, BatchNorm, momentum and the schedule of Zagoruyko & Komodakis 2016."""

_SMALL = {"width": 1, "epochs": 10, "batch_size": 64}
_PLAIN = {**_PUBLISHED, "variant": "BN", "learning_rate": 0.05, **_SMALL}

STARTING_POINTS: dict[str, dict[str, Any]] = {
    "mlp": {"learning_rate": 0.03, "epochs": 30, "batch_size": 64},
    "wide_resnet": {"depth": 10, **_PUBLISHED, **_SMALL},
    "resnet": {"depth": 8, **_PUBLISHED, **_SMALL},
    "vgg": {"depth": 11, **_PLAIN},
    "mobilenet": {"depth": 28, **_PLAIN},
    "vit": {
        **{"depth": 2, "width": 3, "patch_size": 2, "heads": 4, "variant": "SC", "activation": "gelu"},
        **{"optimizer": "adam", "learning_rate": 0.003, "schedule": "cosine", "epochs": 20, "batch_size": 64},
    },
}
"""Values of fields by architecture; with each the bundled digits are learned in one to four minutes of two cores."""


def starting_point(model: str) -> dict[str, Any]:
    """Returns the values that a network of an architecture is trained with where none are given.

    Args:
        model: an architecture by name; one of another package has the defaults of specs.

    Example:
        >>> starting_point("wide_resnet")["variant"]
        'SC_BN'
    """
    return dict(STARTING_POINTS.get(model, {}))


def study_from(model: str, *, grid: Grid | None = None, base: dict[str, Any] | None = None, **fields: Any) -> Study:
    """Returns a study on digits that begins at the starting point of an architecture.

    Args:
        model: the architecture.
        grid: fields that vary; others of grids have the value of the starting point alone.
        base: other values of fields that do not vary.
        **fields: of the study.

    Example:
        >>> study_from("mlp", name="s", title="", grid={"variant": ("NR", "BN")}).grids[0]["learning_rate"]
        (0.03,)
    """
    values = {"dataset": "digits", "model": model, **starting_point(model), **(base or {})}
    if fields.get("comparison", "pairs") == "pairs" and "width" in values:
        fields = {"max_width": values.pop("width"), **fields}
    varied = {field: (values.pop(field),) for field in GRID_FIELDS if field in values}
    return Study(grids=[{**varied, **(grid or {})}], base=values, **fields)
