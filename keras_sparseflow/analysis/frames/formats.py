"""Numbers as a reader meets them: in the page of a report and in its tables."""

import numpy as np
import pandas as pd

MINUS = "\N{MINUS SIGN}"

NOTHING = "\N{EN DASH}"
"""What stands where there is no number."""

_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_p(p_value: float) -> str:
    """Returns a p-value with three decimals, as the paper prints it, or "<0.001"."""
    if pd.isna(p_value):
        return NOTHING
    return "<0.001" if 0 <= p_value < 0.0005 else f"{p_value:.3f}"


def format_number(value: float, digits: int = 4) -> str:
    """Returns a number with that many significant digits, or a dash for a missing one."""
    if pd.isna(value):
        return NOTHING
    if np.isinf(value):
        return "infinity" if value > 0 else f"{MINUS}infinity"
    return f"{value:.{digits}g}".replace("-", MINUS)


def format_fixed(value: float, decimals: int = 4, sign: str = "-") -> str:
    """Returns a number with that many decimals, so that a column of them lines up."""
    if pd.isna(value) or np.isinf(value):
        return format_number(value)
    return f"{value:{sign}.{decimals}f}".replace("-", MINUS)


def format_signed(value: float, decimals: int = 4) -> str:
    """Returns a difference: as `format_fixed`, with its sign even where it is a plus."""
    return format_fixed(value, decimals, sign="+")


def format_large(value: float) -> str:
    """Returns a count: in full below a thousand million, else with three digits and a power of ten.

    Example:
        >>> format_large(31765568)
        '31,765,568'
    """
    if pd.isna(value):
        return NOTHING
    if abs(value) < 1e9:
        return f"{value:,.0f}"
    digits, _, exponent = f"{value:.2e}".partition("e+")
    return f"{digits} \N{MULTIPLICATION SIGN} 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def format_percent(fraction: float) -> str:
    """Returns a fraction in percent, without digits that say nothing.

    Example:
        >>> format_percent(0.01), format_percent(0.055), format_percent(1.0)
        ('1%', '5.5%', '100%')
    """
    return f"{100 * fraction:.6g}%"


def plural(number: int, noun: str) -> str:
    """Returns a count in words: `plural(2, "run")` is "2 runs"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def format_interval(low: float, high: float) -> str:
    """Returns the ends of an interval of differences, or a dash where there is none."""
    return NOTHING if pd.isna(low) or pd.isna(high) else f"{format_signed(low)} to {format_signed(high)}"
