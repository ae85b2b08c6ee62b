"""Sparse neural networks in Keras: masked layers, effective gradient flow, matched-capacity studies.

Public names stand in `__init__.pyi`, here and in the rooms, and load when they are first used: so importing the package
is fast, and the run store and the analysis work where TensorFlow is not installed.
"""

import lazy_loader

from keras_sparseflow.registered import register_when_keras_loads

__version__ = "0.1.0"

register_when_keras_loads()

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
