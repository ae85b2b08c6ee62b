"""Recipes by which small networks learn: where a study or a single network begins that no paper describes."""

from typing import Any

from keras_sparseflow.studies.spec.run_spec import LEAVES
from keras_sparseflow.studies.study import GRID_FIELDS, Grid, Study, values_of

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


_SHAPE = ("depth", "width", "patch_size", "heads")
"""Fields of starting points that say how large a network is."""


def starting_point(model: str) -> dict[str, Any]:
    """Returns the values that a network of an architecture is trained with where none are given.

    Args:
        model: an architecture by name; one of another package has the defaults of specs.

    Example:
        >>> starting_point("wide_resnet")["variant"]
        'SC_BN'
    """
    return dict(STARTING_POINTS.get(model, {}))


def fields_of_model(study: Study, model: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns what a study takes over where its networks become those of another architecture.

    Depth and width mean something else in each architecture, so they are those of its starting point. A study that
    begins at the starting point of its own architecture has the whole recipe from there; that of a paper stays.

    Args:
        study: study of any architecture.
        model: the other one by name.

    Returns:
        Values of fields of specs, those of grids as tuples, and of the study's own fields; none for the architecture
        that it has.

    Example:
        >>> study = study_from("wide_resnet", name="s", title="", comparison="densities", grid={"density": (0.1, 1.0)})
        >>> values, _ = fields_of_model(study, "vgg")
        >>> values["depth"], values["variant"], values["learning_rate"], "density" in values
        (11, ('BN',), (0.05,), False)
    """
    if study.value("model") == model:
        return {}, {}
    before, here = starting_point(study.value("model")), starting_point(model)
    usual = {field: LEAVES[field].default for field in {*before, *here}}
    has = {f: values_of(study.grids, f, usual[f]) if f in GRID_FIELDS else (study.value(f),) for f in usual}
    recipe = [field for field in before if field not in _SHAPE]
    begins_there = any(before[f] != usual[f] for f in recipe) and all(has[f] == (before[f],) for f in recipe)
    values: dict[str, Any] = {}
    for field in usual if begins_there else _SHAPE:
        if field in _SHAPE or has[field] == (before.get(field, usual[field]),):
            new = here.get(field, LEAVES[field].default)
            values[field] = (new,) if field in GRID_FIELDS else new
    if study.comparison == "pairs":
        return values, {"max_width": values.pop("width", None)}
    return values, {}


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
