"""Named things: whatever a flag or a spec names stands in a table, built in, registered here or of another package.

A table holds references of the form "module:attribute", so what exists can be listed and explained, and names
checked, while nothing is imported. Only the standard library is used in this room; the tables themselves stand in the
rooms whose things they hold.
"""

from keras_sparseflow.plugins.entries import Origin, Plugin
from keras_sparseflow.plugins.registry import KINDS, list_plugins, register, table
from keras_sparseflow.plugins.tables import Table, unknown_name

__all__ = ["KINDS", "Origin", "Plugin", "Table", "list_plugins", "register", "table", "unknown_name"]
