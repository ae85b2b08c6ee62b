"""Files of weights of a stock model, loaded into its masked twin."""

import os

import keras

from keras_sparseflow.layers.structure import variables_at_places, walk
from keras_sparseflow.twins.conversion import strip_masks


def load_stock_weights(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Loads a file of weights of a stock model into its masked twin; weights that the twin's masks remove stay zero.

    Keras names the layers in a file after their classes, so that `model.load_weights` finds no `Dense` for a
    `MaskedDense`. Here the file is loaded into the stock model that `strip_masks` gives.

    Args:
        model: built, with masks; of a kind that can be copied.
        path: of a `.weights.h5` or `.keras` file of a stock model of the same layers.

    Raises:
        ValueError: the file is of other layers, or of a model with masks; or the model has LoRA or cannot be copied.
            The model is then as it was.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from keras_sparseflow import sparsify
        >>> stock = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
        >>> twin = sparsify(stock, density=0.25)
        >>> with TemporaryDirectory() as folder:
        ...     stock.save_weights(f"{folder}/stock.weights.h5")
        ...     load_stock_weights(twin, f"{folder}/stock.weights.h5")
        >>> twin.layers[0].active_count
        8
    """
    with_lora = [path for path, chain in walk(model) if getattr(chain[-1], "lora_enabled", False)]
    if with_lora:
        raise ValueError(
            f"`model` must be without LoRA, whose product would be added to the weights; received {with_lora[0]!r} "
            "with LoRA. Load the file before `enable_lora`."
        )
    stock = strip_masks(model)
    stock.load_weights(path)
    values = {place.path: place.variable for place in variables_at_places(stock)}
    for place in variables_at_places(model):
        place.variable.assign(values[place.path].value)
