"""The table of a report's sections: those of this folder's files, and those of other packages."""

import importlib
import pkgutil
from pathlib import Path

from keras_sparseflow.analysis.report.section import BUILT_IN, GROUPS
from keras_sparseflow.plugins import Table

for _module in pkgutil.iter_modules([str(Path(__file__).parent)]):
    if _module.name != "index":
        importlib.import_module(f"{__package__}.{_module.name}")

_PLACES = {group: place for place, group in enumerate(GROUPS)}

SECTIONS = Table(
    "report section",
    "keras_sparseflow.report_section",
    # group by group, in a group file by file, in any order of imports
    dict(sorted(BUILT_IN.items(), key=lambda item: (_PLACES[item[1].group], item[1].make.__module__))),
    expects="callable",
)
"""Every section that can be named, the built-in ones each a `Section`, in the order of a page.

One of another package is a function of a report's `Source`, which returns a heading and a `Content` or HTML, or
None where it has nothing to show. To add a built-in one, write its file in this folder, with the decorator `section`.
"""
