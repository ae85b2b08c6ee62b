"""Reading of docstrings by the site: the section "Example:" holds doctests, which are shown as code."""

import re

import griffe

EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class Examples(griffe.Extension):
    """Gives sections of examples the plural name under which griffe knows them."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Renames the section of one docstring."""
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub("Examples:", obj.docstring.value)
