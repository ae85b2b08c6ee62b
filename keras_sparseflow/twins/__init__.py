"""Any Keras model's masked twin and back, what it holds, and files as small as their active weights."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
