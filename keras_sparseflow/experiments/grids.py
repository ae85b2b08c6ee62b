"""Grids of configurations, and the union of several."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keras_sparseflow.experiments.spec import RunSpec

GRID_FIELDS = ("hidden_layers", "variant", "activation", "optimizer", "learning_rate")
"""The fields of a spec that a study can vary; a configuration is one value of each."""

Grid = Mapping[str, Sequence[Any]]
"""For any of `GRID_FIELDS` the values to cross; a field that it leaves out has its default alone."""

_DEFAULTS = {field.name: field.default for field in dataclasses.fields(RunSpec)}


def cells(grids: Sequence[Grid]) -> Iterator[dict[str, Any]]:
    """Yields the configurations of each grid, one after the other; one that two grids name comes twice.

    Example:
        >>> list(cells([{"variant": ("NR", "BN")}, {"optimizer": ("adam",)}]))
        [{'variant': 'NR'}, {'variant': 'BN'}, {'optimizer': 'adam'}]
    """
    for grid in grids:
        for values in itertools.product(*grid.values()):
            yield dict(zip(grid, values, strict=True))


def values_of(grids: Sequence[Grid], field: str) -> tuple[Any, ...]:
    """Returns every value that a field has in some grid, each once.

    Example:
        >>> values_of([{"variant": ("NR", "BN")}, {"variant": ("BN", "L2")}, {}], "variant")
        ('NR', 'BN', 'L2')
    """
    return tuple(dict.fromkeys(itertools.chain.from_iterable(_values(grid, field) for grid in grids)))


def choose(grids: Sequence[Grid], chosen: Grid) -> tuple[dict[str, Sequence[Any]], ...]:
    """Returns the grids with chosen values in place of their own.

    A value that some grid names stays where it is named, so that it keeps its company; a value that no grid
    names goes into every grid. Grids without a value left vanish; at least one is always left.

    Args:
        grids: a union.
        chosen: the values that are wanted.

    Example:
        >>> grids = [{"optimizer": ("sgd",), "variant": ("BN",)}, {"optimizer": ("adam",), "variant": ("NR",)}]
        >>> choose(grids, {"optimizer": ("adam",)})
        ({'optimizer': ('adam',), 'variant': ('NR',)},)
        >>> choose(grids, {"optimizer": ("adam",), "variant": ("L2",)})
        ({'optimizer': ('adam',), 'variant': ('L2',)},)
    """
    left = [dict(grid) for grid in grids]
    for field in (name for name in GRID_FIELDS if name in chosen):
        named = values_of(left, field)
        for grid in left:
            grid[field] = tuple(v for v in chosen[field] if v not in named or v in _values(grid, field))
        left = [grid for grid in left if grid[field]]
    return tuple({tuple((field, *grid[field]) for field in sorted(grid)): grid for grid in left}.values())


def _values(grid: Grid, field: str) -> Sequence[Any]:
    return grid.get(field, (_DEFAULTS[field],))
