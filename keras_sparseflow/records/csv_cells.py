"""Texts in the cells of CSV files, such that no spreadsheet takes one for a formula."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""The start of a text that a spreadsheet would run as a formula, with or without apostrophes that prevent it."""


def as_csv_file(frame: "pd.DataFrame") -> bytes:
    """Returns a frame as the content of a CSV file without its index.

    A text that begins with =, +, - or @ gets an apostrophe before it; numbers stay as they are.

    Args:
        frame: any; its column names may be such texts too.

    Example:
        >>> import pandas as pd
        >>> as_csv_file(pd.DataFrame({"layer": ["=1+1", "a"], "value": [-1.5, 2.0]})).decode().split()
        ['layer,value', "'=1+1,-1.5", 'a,2.0']
    """
    from pandas.api.types import is_numeric_dtype

    safe = frame.rename(columns=_safe)
    for place, kind in enumerate(frame.dtypes):
        if not is_numeric_dtype(kind):
            safe.isetitem(place, frame.iloc[:, place].map(_safe).to_numpy(object))
    return safe.to_csv(index=False).encode()


def as_written(text: str) -> str:
    """Returns a text of a CSV file without the apostrophe that `as_csv_file` put before it.

    Example:
        >>> as_written("'=1+1"), as_written("'quoted'")
        ('=1+1', "'quoted'")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
