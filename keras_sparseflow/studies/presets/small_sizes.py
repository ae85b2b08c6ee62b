"""Small versions of presets, which train on the bundled digits within minutes."""

from typing import Any

from keras_sparseflow.studies.presets.starting_points import STARTING_POINTS
from keras_sparseflow.studies.study import Study, values_of

_LOWEST = 0.1
"""Density below which small networks have kernels without any weight."""

_LENGTH = {"epochs": 4, "batch_size": 64, "flow_epochs": 2}
_STEPS = {"rewind_step": 10, "move_frequency": 10, "prune_frequency": 10, "rescale_iterations": 5}
_LOOKS = {"diagnostic_epochs": 2, "diagnostic_samples": 50, "eigenvalue_iterations": 5, "landscape_steps": 5}


def small(study: Study) -> Study:
    """Returns a study that asks the same of smaller networks, on digits, for a few epochs and one seed.

    Its grids are those of the study, but densities: of these it keeps the smallest and the largest of at least 0.1, or
    it has 0.1 alone where a grid has lower ones only.

    Args:
        study: a preset.

    Example:
        >>> from keras_sparseflow.studies.presets.preset_table import PRESETS
        >>> version = small(PRESETS.get("wrn_random"))
        >>> version.name, version.value("depth"), version.value("epochs")
        ('wrn_random_small', 10, 4)
    """
    values: dict[str, Any] = {"dataset": "digits", "image_size": None, "train_size": None}
    values |= {**_LENGTH, **_STEPS, **_LOOKS}
    network = STARTING_POINTS.get(study.value("model"), {})
    values |= {field: network[field] for field in ("depth", "width") if field in network}
    fields: dict[str, Any] = {"name": f"{study.name}_small", "seeds": study.seeds[:1]}
    if study.rounds is not None:
        fields |= {"rounds": 2, "fraction": 0.5}
    elif study.comparison != "pairs":
        kept = [density for density in values_of(study.grids, "density", 1.0) if density >= _LOWEST]
        # A grid whose densities are all lower would vanish: then every grid has the lowest one instead.
        each = all(max(grid.get("density", (1.0,))) >= _LOWEST for grid in study.grids)
        values["density"] = tuple(dict.fromkeys((min(kept), max(kept)))) if each else (_LOWEST,)
    derived = {*study.derived_fields}
    return study.with_choices({field: v for field, v in values.items() if field not in derived}, **fields)
