"""Which weights are active: how many in each kernel (distributions), and which of them (scores)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
