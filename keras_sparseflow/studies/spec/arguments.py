"""Arguments of named things, written "name.argument=value": rmsprop.rho=0.99."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from keras_sparseflow.plugins import Table, unknown_name

_FORM = re.compile(r"([\w-]+)\.([A-Za-z_]\w*)=(.+)")


def arguments_of(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """Returns the arguments that `texts` give to one named thing, by their names.

    Example:
        >>> arguments_of("rmsprop", ("rmsprop.rho=0.99", "adagrad.epsilon=1e-6"))
        {'rho': 0.99}
    """
    parsed = [_parse(text) for text in texts]
    return {argument: value for owner, argument, value in parsed if owner == name}


def canonical_arguments(field: str, name: str, texts: Sequence[str], table: Table) -> tuple[str, ...]:
    """Returns the texts that concern one named thing, each in its one spelling, in order.

    Args:
        field: field that an error names.
        name: name whose arguments are kept; those of other names in the table change nothing about it.
        texts: each "name.argument=value"; a value is a number, true or false.
        table: table of the names.

    Raises:
        ValueError: a text of another form, an unknown name, or an argument that is given twice.

    Example:
        >>> from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
        >>> canonical_arguments("optimizer_options", "sgd", ["sgd.nesterov=true", "adam.beta_1=0.8"], OPTIMIZERS)
        ('sgd.nesterov=true',)
    """
    if isinstance(texts, str):
        raise ValueError(
            f"`{field}` must be a list of texts such as {table.names()[0]}.argument=0.5; received {texts!r}."
        )
    parsed = [_parse(text, field) for text in texts]
    for owner, _, _ in parsed:
        if owner not in table:
            raise unknown_name(table.kind, owner, table.names())
    given = [(owner, argument) for owner, argument, _ in parsed]
    twice = [f"{owner}.{argument}" for owner, argument in given if given.count((owner, argument)) > 1]
    if twice:
        raise ValueError(f"`{field}` must give each argument once; received {twice[0]} {len(twice)} times.")
    return tuple(sorted(f"{owner}.{argument}={json.dumps(v)}" for owner, argument, v in parsed if owner == name))


def check_used(field: str, texts: Iterable[str], names: Iterable[str]) -> None:
    """Raises a ValueError for an argument of a thing that nothing uses: it would change nothing, silently.

    Args:
        field: field that the error names.
        texts: each "name.argument=value".
        names: of the things that are used.
    """
    used = list(dict.fromkeys(names))
    for text in texts:
        if _parse(text, field)[0] not in used:
            raise ValueError(f"`{field}` must be of what is trained here, {', '.join(used)}; received {text!r}.")


def _parse(text: str, field: str = "options") -> tuple[str, str, Any]:
    """Returns name, argument and value."""
    match = _FORM.fullmatch(str(text).strip())
    value = _number(match[3]) if match else None
    if match is None or value is None:
        raise ValueError(
            f"`{field}` must be of the form name.argument=value, with a finite number, true or false; received "
            f"{text!r}."
        )
    return match[1], match[2], value


def _number(text: str) -> bool | int | float | None:
    if text in ("true", "false"):
        return text == "true"
    for convert in (int, float):
        try:
            number = convert(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else None
    return None
