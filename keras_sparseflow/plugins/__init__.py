"""Tables of the plugins that flags and specs name: built in, registered in this process, or from other packages.

A table holds references of the form "module:attribute", so plugins can be listed, explained and checked by name
without an import. This package uses only the standard library; each table is in the package whose plugins it holds.
"""

from keras_sparseflow.plugins.entries import Origin, Plugin
from keras_sparseflow.plugins.registry import KINDS, list_plugins, register, table
from keras_sparseflow.plugins.tables import Table, unknown_name

__all__ = ["KINDS", "Origin", "Plugin", "Table", "list_plugins", "register", "table", "unknown_name"]
