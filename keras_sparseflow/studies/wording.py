"""Numbers and costs in words that fit a line."""

from keras_sparseflow.studies.size.cost import Cost

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


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


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, which takes an s unless it is one.

    Args:
        number: how many.
        noun: of one.

    Example:
        >>> counted(1, "network"), counted(3, "network")
        ('1 network', '3 networks')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def cost_line(cost: Cost) -> str:
    """Returns a cost in a sentence."""
    return (
        f"{counted(cost.networks, 'network')}, {short(cost.steps)} gradient steps; {short(cost.active_weights)} active "
        f"of {short(cost.stored_weights)} stored weights; {short(cost.flops)}FLOP, of which active weights alone "
        f"would need {short(cost.active_flops)}FLOP."
    )
