"""Grids of configurations, and the union of several."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Grid = Mapping[str, Sequence[Any]]
"""For any field that a study can vary the values to cross; a field that it leaves out has its default alone."""


def cells(grids: Sequence[Grid]) -> Iterator[dict[str, Any]]:
    """Yields the configurations of each grid, one after the other; one that two grids name comes twice.

    Example:
        >>> list(cells([{"variant": ("NR", "BN")}, {"optimizer": ("adam",)}]))
        [{'variant': 'NR'}, {'variant': 'BN'}, {'optimizer': 'adam'}]
    """
    for grid in grids:
        for values in itertools.product(*grid.values()):
            yield dict(zip(grid, values, strict=True))


def values_of(grids: Sequence[Grid], field: str, default: Any) -> tuple[Any, ...]:
    """Returns every value that a field has in some grid, each once.

    Args:
        grids: a union.
        field: its name.
        default: its value in a grid that leaves it out.

    Example:
        >>> values_of([{"variant": ("L2", "BN")}, {"variant": ("BN",)}, {}], "variant", "NR")
        ('L2', 'BN', 'NR')
    """
    return tuple(dict.fromkeys(itertools.chain.from_iterable(grid.get(field, (default,)) for grid in grids)))


def choose(grids: Sequence[Grid], chosen: Grid, defaults: Mapping[str, Any]) -> tuple[dict[str, Sequence[Any]], ...]:
    """Returns the grids with chosen values in place of their own.

    A value that some grid names stays where it is named, so that it keeps its company; a value that no grid
    names goes into every grid. Grids without a value left vanish; at least one is always left.

    Args:
        grids: a union.
        chosen: the values that are wanted.
        defaults: every field that can be chosen, with its value in a grid that leaves it out.

    Example:
        >>> grids = [{"optimizer": ("sgd",), "variant": ("BN",)}, {"optimizer": ("adam",), "variant": ("NR",)}]
        >>> choose(grids, {"optimizer": ("adam",)}, {"optimizer": "sgd"})
        ({'optimizer': ('adam',), 'variant': ('NR',)},)
        >>> choose(grids, {"optimizer": ("adam",), "variant": ("L2",)}, {"optimizer": "sgd", "variant": "NR"})
        ({'optimizer': ('adam',), 'variant': ('L2',)},)
    """
    left = [dict(grid) for grid in grids]
    for field, default in defaults.items():
        if field not in chosen:
            continue
        named = values_of(left, field, default)
        for grid in left:
            grid[field] = tuple(v for v in chosen[field] if v not in named or v in grid.get(field, (default,)))
        left = [grid for grid in left if grid[field]]
    return tuple({tuple((field, *grid[field]) for field in sorted(grid)): grid for grid in left}.values())
