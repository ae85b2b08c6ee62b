"""What a network's loss looks like around its weights, and how sparse its activations are: ToST's diagnostics."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
