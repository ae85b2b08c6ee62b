"""The densities of a network's kernels, from one density of all or from each kernel's own."""

from collections.abc import Collection, Mapping
from math import prod

from keras_sparseflow.layers.mask.arrays import active_count, check_density


def kernel_densities(
    density: float | Mapping[str, float] | None, shapes: Mapping[str, tuple[int, ...]], stock: Collection[str] = ()
) -> dict[str, float]:
    """Returns the densities of the kernels that have a mask, by name.

    Args:
        density: share of active weights in (0, 1], of every kernel or of each by name; None where none has a mask.
        shapes: of all kernels, by name.
        stock: names of kernels without a mask, whatever the density.

    Raises:
        ValueError: no kernel has a mask, densities that do not match the kernels, or one that leaves a kernel no
            active weight.

    Example:
        >>> kernel_densities(0.1, {"hidden_1": (64, 20), "output": (20, 10)}, stock=["output"])
        {'hidden_1': 0.1}
    """
    if density is None:
        return {}
    names = [name for name in shapes if name not in stock]
    if not names:
        raise ValueError(
            f"`density` must be None where no kernel has a mask; received {density}, and none of {', '.join(shapes)} "
            "has one."
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
