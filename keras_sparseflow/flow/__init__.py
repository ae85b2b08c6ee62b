"""Gradient flow: its measures, the tensors that they take, and the epochs to measure in."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
