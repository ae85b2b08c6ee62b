"""Checks of arguments that many functions take: numbers, names, seeds, and `sparsity` where `density` is expected."""

import functools
import inspect
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

LIMITS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("of at least", operator.ge),
    "above": ("above", operator.gt),
    "maximum": ("at most", operator.le),
    "below": ("below", operator.lt),
}
"""Limits of numbers by name: in words, and what must hold."""

LARGEST_SEED = 2**63 - 1
"""Seeds are 64-bit numbers with a sign, in TensorFlow and in files."""


def check_number(name: str, value: Any, *, whole: bool = False, **limits: float) -> Any:
    """Returns a number, a whole one as an int and another as a float.

    Args:
        name: name of the argument in the error.
        value: the given value; neither NaN nor infinite.
        whole: whether it must be a whole number.
        **limits: any of `minimum`, `above`, `maximum` and `below`.

    Raises:
        ValueError: it is no such number.

    Example:
        >>> check_number("epochs", 3, whole=True, minimum=1), check_number("share", 1, above=0, maximum=1)
        (3, 1.0)
    """
    kind: Any = Integral if whole else Real
    fits = isinstance(value, kind) and not isinstance(value, bool) and (whole or _is_finite(value))
    if not fits or not all(LIMITS[limit][1](value, bound) for limit, bound in limits.items()):
        words = " and ".join(f"{LIMITS[limit][0]} {bound}" for limit, bound in limits.items())
        article = "a whole number" if whole else "a number"
        raise ValueError(f"`{name}` must be {f'{article} {words}'.rstrip()}; received {shown(value)}.")
    return int(value) if whole else float(value)


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def check_names(name: str, values: Any, known: Sequence[str] = ()) -> tuple[str, ...]:
    """Returns a list of names as a tuple; there must be at least one, and each once.

    Args:
        name: name of the argument in the error.
        values: the given values.
        known: the valid names; none for any text.

    Raises:
        ValueError: it is no list of names, or of others.

    Example:
        >>> check_names("readings", ["end"], ("steps", "end"))
        ('end',)
    """
    listed = isinstance(values, Sequence) and not isinstance(values, str | bytes)
    if not listed or not values or not all(isinstance(each, str) for each in values):
        of = f" of {', '.join(known)}" if known else ""
        raise ValueError(f"`{name}` must list at least one name{of}; received {shown(values)}.")
    if len(set(values)) < len(values):
        raise ValueError(f"`{name}` must list each name once; received {', '.join(values)}.")
    return tuple(values)


def check_flag(name: str, value: Any) -> bool:
    """Returns a bool.

    Raises:
        ValueError: it is none.

    Example:
        >>> check_flag("training", True)
        True
    """
    if not isinstance(value, bool):
        raise ValueError(f"`{name}` must be True or False; received {shown(value)}.")
    return value


def shown(value: Any) -> str:
    """Returns a value as an error shows it, which is cut where it is long.

    Example:
        >>> shown([0] * 100)[-6:]
        ' 0,...'
    """
    try:
        text = repr(value)
    except ValueError:  # Python writes out no number of more than 4300 digits
        text = f"a {type(value).__name__} of more digits than can be shown"
    return text if len(text) <= 120 else f"{text[:117]}..."


def check_seed(seed: Any, name: str = "seed") -> int:
    """Returns a seed as an int.

    Args:
        seed: an integer from 0 to 2**63 - 1.
        name: name of the argument in the error.

    Raises:
        ValueError: the seed is no such integer.

    Example:
        >>> check_seed(3)
        3
    """
    if isinstance(seed, bool) or not isinstance(seed, Integral) or int(seed) < 0:
        raise ValueError(f"`{name}` must be an integer of at least 0; received {shown(seed)}.")
    if int(seed) > LARGEST_SEED:
        raise ValueError(f"`{name}` must be an integer below 2**63; received {shown(seed)}.")
    return int(seed)


_SPARSITY = re.compile(r"(\w+_)?sparsit(?:y|ies)")
"""Names under which other libraries take the share of weights that are zero: sparsity, final_sparsity, sparsities."""


def refuse_sparsity(arguments: Mapping[str, Any], taken: Collection[str] = ("density",)) -> None:
    """Refuses keyword arguments such as `sparsity` where a density is taken, and says which density to write.

    Args:
        arguments: the keyword arguments, by name.
        taken: names of arguments that the function takes; `final_sparsity` is answered by `final_density` if that is
            among them.

    Raises:
        TypeError: `sparsity`, or a name that ends in it, is among the arguments, and is none that the function takes.

    Example:
        >>> refuse_sparsity({"target_sparsity": 0.75})
        Traceback (most recent call last):
        TypeError: `target_sparsity` is not an argument: write density = 1 - target_sparsity, here density=0.25.
        >>> refuse_sparsity({"sparsity": (0.5, 0.9)}, ["final_density"])
        Traceback (most recent call last):
        TypeError: `sparsity` is not an argument: write final_density = 1 - sparsity, here final_density=(0.5, 0.1).
    """
    for name in set(arguments) - set(taken):
        if answer := density_for(name, arguments[name], taken):
            raise TypeError(f"`{name}` is not an argument: {answer}")


def density_for(name: str, value: Any, taken: Collection[str] = ("density",), *, flag: bool = False) -> str:
    """Returns what to write in place of a sparsity, in words that end a sentence; "" for another argument.

    Args:
        name: name of the argument.
        value: its value, a number or several.
        taken: names of arguments that are taken.
        flag: whether to write a flag of a command line.

    Example:
        >>> density_for("sparsity", (0.9, 0.5), flag=True)
        'write density = 1 - sparsity, here --density=0.1,0.5.'
        >>> density_for("epochs", 3)
        ''
    """
    found = _SPARSITY.fullmatch(name)
    if not found:
        return ""
    densities = [each for each in taken if "density" in each]
    density = next((each for each in (f"{found[1] or ''}density", "density", *densities) if each in taken), "density")
    write = "write" if densities else "give the layers"
    several = isinstance(value, Sequence) and not isinstance(value, str)
    values = [*value] if several else [value]
    if not values or not all(isinstance(each, int | float) and 0 <= each <= 1 for each in values):
        return f"{write} {density} = 1 - {name}; received {shown(value)}."
    texts = [f"{1 - each:.6g}" for each in values]
    tuples = f"({', '.join(texts)}{',' if len(texts) == 1 else ''})" if several else texts[0]
    return f"{write} {density} = 1 - {name}, here " + (
        f"--{density}={','.join(texts)}." if flag else f"{density}={tuples}."
    )


def takes_density(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Returns a function with a `density`, or of layers that have one, that refuses `sparsity`: see `refuse_sparsity`.

    Example:
        >>> @takes_density
        ... def count(size, density=1.0):
        ...     return round(size * density)
        >>> count(10, density=0.25)
        2
    """
    taken = inspect.signature(function).parameters

    @functools.wraps(function)
    def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        refuse_sparsity(kwargs, taken)
        return function(*args, **kwargs)

    return checked
