"""Tables of a report: one object, its renderers, and the tables of pairs."""
