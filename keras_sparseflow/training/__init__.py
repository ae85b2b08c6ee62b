"""Training on TensorFlow: the model, callbacks that record flow or change masks, and rescaled initial weights."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
