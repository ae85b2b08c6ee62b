"""Versions of the algorithms that a run uses, which are part of its name."""

import dataclasses
from typing import Any

from keras_sparseflow.studies.spec.fields import chosen

ALGORITHMS = {
    ("variant", "DA"): 2,  # pads by an eighth of the images' side, no longer by 4 pixels
    ("optimizer", "adagrad"): 2,  # accumulators start at 0, no longer at 0.1
    ("score", "synflow"): 2,  # keeps as many weights after each round as its authors' code
}
"""Versions of algorithms, by the field of a spec and the value that choose them; one that is not here is in its first.

Whoever changes what a spec comes to raises the version of what was changed: its runs get other names, so that results
of the earlier algorithm, which stay on disk, are not taken for theirs.
"""


def algorithm_versions(spec: Any) -> dict[str, int]:
    """Returns the versions of those algorithms in `ALGORITHMS` that a spec uses.

    Args:
        spec: a `RunSpec` or `DensitySpec`.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> algorithm_versions(RunSpec(dense_width=20, max_width=68, optimizer="adagrad", variant="BN"))
        {'optimizer adagrad': 2}
    """
    used = {item.name: chosen(item.name, getattr(spec, item.name)) for item in dataclasses.fields(spec)}
    return {f"{field} {name}": v for (field, name), v in ALGORITHMS.items() if name in used.get(field, ())}
