"""Large numbers and long times in words that fit a line."""

from keras_sparseflow.studies.executors.plan import counted
from keras_sparseflow.studies.size.cost import Cost

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")
_LARGER = ((60.0, "min"), (3600.0, "h"), (86_400.0, "d"), (365 * 86_400.0, "y"))
"""Units of time above a second, and their seconds."""


def short(number: float) -> str:
    """Returns a number with three digits and a prefix of a power of thousand.

    Example:
        >>> short(147_420_000), short(630)
        ('147 M', '630')
    """
    power = 0
    while round(number, 2) >= 999.5 and power < len(_PREFIXES) - 1:
        number, power = number / 1000, power + 1
    return f"{number:.3g} {_PREFIXES[power]}".rstrip()


def duration(seconds: float) -> str:
    """Returns a time in the unit that suits it, with two digits.

    Example:
        >>> duration(42), duration(5400), duration(400 * 86400)
        ('42 s', '1.5 h', '1.1 y')
    """
    size, unit = 1.0, "s"
    for larger, name in _LARGER:
        if seconds < larger:
            break
        size, unit = larger, name
    return f"{seconds / size:.2g} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"


def cost_line(cost: Cost) -> str:
    """Returns a cost in a sentence."""
    return (
        f"{counted(cost.networks, 'network')}, {short(cost.steps)} gradient steps; {short(cost.active_weights)} active "
        f"of {short(cost.stored_weights)} stored weights; {short(cost.flops)}FLOP, of which active weights alone "
        f"would need {short(cost.active_flops)}FLOP."
    )
