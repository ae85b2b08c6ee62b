"""Datasets in memory, their batches and their augmentation.

Loading the digits needs no TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
