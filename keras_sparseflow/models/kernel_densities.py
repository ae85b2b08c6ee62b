"""Densities of a network's kernels, from one density for all or one for each kernel."""

from collections.abc import Collection, Mapping, Sequence
from math import prod

from keras_sparseflow.layers.mask.arrays import active_count, check_density


def kernel_densities(
    density: float | Mapping[str, float] | None, shapes: Mapping[str, tuple[int, ...]], stock: Collection[str] = ()
) -> dict[str, float]:
    """Returns the densities of the masked kernels, by name.

    Args:
        density: share of active weights in (0, 1], for every kernel or by name for each; None if no kernel has a mask.
        shapes: shapes of all kernels, by name.
        stock: names of the kernels that never have a mask.

    Raises:
        ValueError: no kernel can have a mask, densities do not match the kernels, or a density leaves a kernel without
            active weights.

    Example:
        >>> kernel_densities(0.1, {"hidden_1": (64, 20), "output": (20, 10)}, stock=["output"])
        {'hidden_1': 0.1}
    """
    if density is None:
        return {}
    names = [name for name in shapes if name not in stock]
    if not names:
        raise ValueError(
            f"`density` must be None where no kernel can have a mask; received {density} for the stock layers "
            f"{', '.join(shapes)}."
        )
    if not isinstance(density, Mapping):
        density = dict.fromkeys(names, check_density(density))
    if set(density) != set(names):
        odd = sorted(set(density) ^ set(names))
        raise ValueError(
            f"`density` must name each of the {len(names)} kernels {names[0]!r} to {names[-1]!r} and no other; "
            f"{odd[0]!r} is {'not one of them' if odd[0] in density else 'missing'}."
        )
    for name, value in density.items():
        if not active_count(value, prod(shapes[name])):
            raise ValueError(
                f"`density` must leave every kernel at least one active weight; {value} leaves none of the "
                f"{prod(shapes[name])} of {name!r}."
            )
    return {name: float(density[name]) for name in names}


def dense_kernels(names: Sequence[str], dense_ends: bool, dense_classifier: bool) -> tuple[str, ...]:
    """Returns the names of the kernels that never have a mask.

    Args:
        names: of all kernels, from the first to the classifier.
        dense_ends: whether the first and the last have none.
        dense_classifier: whether the last has none.

    Example:
        >>> dense_kernels(["stem", "conv", "output"], dense_ends=False, dense_classifier=True)
        ('output',)
    """
    if dense_ends:
        return names[0], names[-1]
    return (names[-1],) if dense_classifier else ()
