"""Versions of the algorithms that a run uses, which are part of its name."""

from keras_sparseflow.studies.spec.fields import Values, chosen

ALGORITHMS = {
    ("variant", "DA"): 2,  # pads by an eighth of the images' side, no longer by 4 pixels
    ("optimizer", "adagrad"): 2,  # accumulators start at 0, no longer at 0.1
    ("score", "synflow"): 2,  # keeps as many weights after each round as its authors' code
}
"""Versions of algorithms, by the field of a spec and the value that choose them; the first version is not listed.

A change to an algorithm that changes the results of a spec must raise its version: its runs get other names, so that
results of the earlier algorithm, which stay on disk, are not taken for theirs.
"""


def algorithm_versions(values: Values) -> dict[str, int]:
    """Returns the versions of those algorithms in `ALGORITHMS` that a run uses.

    Args:
        values: of the fields of its spec.

    Example:
        >>> algorithm_versions({"optimizer": "adagrad", "variant": "BN", "score": None})
        {'optimizer adagrad': 2}
    """
    used = {name: chosen(name, value) for name, value in values.items() if value is not None}
    return {f"{field} {name}": v for (field, name), v in ALGORITHMS.items() if name in used.get(field, ())}
