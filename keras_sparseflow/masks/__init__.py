"""Masks: a distribution says how many weights of each kernel are active, a score says which."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
