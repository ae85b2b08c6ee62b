"""The analysis room: pure functions from DataFrames to DataFrames, figures and a report.

Nothing here loads TensorFlow or Keras, so results can be read anywhere. Public names load lazily:
SciPy, matplotlib and jinja2 are imported when something that needs them is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
