"""Architectures, each described once: to count kernels without Keras, and to build models on every backend."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
