"""Names that combine parts, such as L2_BN."""

from collections.abc import Mapping
from dataclasses import dataclass

from keras_sparseflow.plugins import unknown_name


@dataclass(frozen=True)
class Combined:
    """A vocabulary of parts that a name joins by _.

    Args:
        field: of a spec, whose values these names are.
        kind: what a part is called, for messages.
        parts: help text by name, in the order in which a name lists them.
        nothing: the name that has no part.
        everything: a name that has all of them; None where there is none.
    """

    field: str
    kind: str
    parts: Mapping[str, str]
    nothing: str
    everything: str | None = None

    def parse(self, name: str) -> frozenset[str]:
        """Returns the parts that a name joins.

        Raises:
            ValueError: a part is unknown or named twice; the message lists the valid ones.
        """
        if name in (self.nothing, self.everything):
            return frozenset(self.parts if name == self.everything else ())
        named = name.split("_")
        for part in named:
            if part not in self.parts:
                whole = [self.nothing, *([self.everything] if self.everything else [])]
                raise unknown_name(self.kind, part, [*whole, *self.parts])
        if len(set(named)) < len(named):
            raise ValueError(f"`{self.field}` must name each part once; received {name!r}.")
        return frozenset(named)

    def canonical(self, name: str) -> str:
        """Returns the one spelling of a name, its parts in their order."""
        named = self.parse(name)
        if self.everything and len(named) == len(self.parts):
            return self.everything
        return "_".join(part for part in self.parts if part in named) or self.nothing
