"""ToST's diagnostics: the loss around a network's weights, its curvature, and the sparsity of activations."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
