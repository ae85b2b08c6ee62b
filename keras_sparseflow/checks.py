"""Checks of arguments that many functions take: seeds, and `sparsity` given where `density` is expected."""

import functools
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def check_seed(seed: Any, name: str = "seed") -> int:
    """Returns a seed as an int.

    Args:
        seed: an integer, at least 0.
        name: name of the argument in the error.

    Raises:
        ValueError: the seed is not an integer of at least 0.

    Example:
        >>> check_seed(3)
        3
    """
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise ValueError(f"`{name}` must be an integer of at least 0; received {seed!r}.")
    return int(seed)


def refuse_sparsity(arguments: Mapping[str, Any]) -> None:
    """Refuses the keyword argument `sparsity` of a function that takes `density`, and says which density to write.

    Raises:
        TypeError: `sparsity` is among the arguments.

    Example:
        >>> refuse_sparsity({"sparsity": 0.75})
        Traceback (most recent call last):
        TypeError: `sparsity` is not an argument: write density = 1 - sparsity, here density=0.25.
    """
    if "sparsity" not in arguments:
        return
    sparsity = arguments["sparsity"]
    fraction = isinstance(sparsity, (int, float)) and 0 <= sparsity <= 1
    write = f", here density={1 - sparsity:.6g}" if fraction else f"; received {sparsity!r}"
    raise TypeError(f"`sparsity` is not an argument: write density = 1 - sparsity{write}.")


def takes_density(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Returns a function with the argument `density` that refuses `sparsity`, see `refuse_sparsity`.

    Example:
        >>> @takes_density
        ... def count(size, density=1.0):
        ...     return round(size * density)
        >>> count(10, density=0.25)
        2
    """

    @functools.wraps(function)
    def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        refuse_sparsity(kwargs)
        return function(*args, **kwargs)

    return checked
