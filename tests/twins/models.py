"""Models of many kinds of layers, and what tests look at in them."""

import keras
import numpy as np

from keras_sparseflow.layers.structure import input_tensors, kernels_of

layers = keras.layers


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def transformer():
    """A classifier of token sequences: attention, embedding, normalisation, an operation and a lambda."""
    tokens = keras.Input((6,), dtype="int32")
    embedded = layers.Embedding(20, 8, name="tokens")(tokens)
    attended = layers.MultiHeadAttention(2, 4, dropout=0.1, name="attention")(
        layers.LayerNormalization()(embedded), embedded
    )
    x = embedded + layers.Dropout(0.1)(attended)
    x = layers.Dense(16, activation="gelu", name="wide")(x)
    x = layers.Lambda(lambda values: values * 2)(layers.Dense(8, name="narrow")(x))
    return keras.Model(tokens, layers.Dense(3, name="head")(keras.ops.mean(x, axis=1)), name="transformer")


def recurrent():
    """Recurrent layers, wrapped and not, and a nested model at each time step."""
    inputs = keras.Input((5, 6))
    step = keras.Sequential([keras.Input((6,)), layers.Dense(4, name="inner")], name="step")
    x = layers.TimeDistributed(step, name="each")(inputs)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")(x)
    x = layers.GRU(4, return_sequences=True, name="gru")(x)
    return keras.Model(inputs, layers.SimpleRNN(2, name="simple")(x), name="recurrent")


def images():
    """Convolutions of every kind, two inputs, two outputs, and a layer and a model that are used twice."""
    image, extra = keras.Input((8, 8, 3), name="image"), keras.Input((8, 8, 3), name="extra")
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    block_input = keras.Input((8, 8, 4))
    block = keras.Model(block_input, layers.DepthwiseConv2D(3, name="depthwise")(block_input), name="block")
    x = layers.Add()([block(shared(image)), block(shared(extra))])
    x = layers.BatchNormalization()(layers.SeparableConv2D(6, 2, strides=2, name="separable")(x))
    up = layers.Conv2DTranspose(2, 3, strides=2, name="up")(x)
    return keras.Model(
        {"image": image, "extra": extra},
        {"up": up, "class": layers.Dense(2, name="class")(layers.GlobalAveragePooling2D()(x))},
        name="images",
    )


def sequential():
    """Layers in a row, one of them a frozen model of its own, and an adapted normalisation."""
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(3, 2, (50, 12, 4)).astype("float32"))
    inner = keras.Sequential([layers.Conv1D(4, 3, groups=2, name="grouped"), layers.PReLU()], name="inner")
    inner.trainable = False
    return keras.Sequential(
        [
            keras.Input((12, 4)),
            normalization,
            inner,
            layers.DepthwiseConv1D(2, name="depthwise"),
            layers.SeparableConv1D(5, 2, name="separable"),
            layers.Conv1DTranspose(3, 2, name="up"),
            layers.EinsumDense("abc,cd->abd", (9, 4), bias_axes="d", name="einsum"),
            layers.Flatten(),
            layers.Dense(2, name="head"),
        ],
        name="row",
    )


MODELS = {"transformer": transformer, "recurrent": recurrent, "images": images, "sequential": sequential}


def data(model, examples=3):
    """Random inputs of a model: tokens where it takes integers."""
    generator = np.random.default_rng(7)

    def draw(tensor):
        shape = (examples, *tensor.shape[1:])
        return generator.integers(0, 20, shape) if "int" in tensor.dtype else generator.normal(size=shape).astype("f")

    return keras.tree.map_structure(draw, input_tensors(model))


def outputs(model, inputs, **arguments):
    return [array(tensor) for tensor in keras.tree.flatten(model(inputs, **arguments))]


def same(first, second):
    return all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def alike(first, second):
    """Returns whether outputs are equal but for the last bits, which depend on where in memory a kernel lies."""
    return all(np.allclose(one, other, rtol=1e-5, atol=1e-6) for one, other in zip(first, second, strict=True))


def weights(model):
    """Values of all weights and random states by the kind and place of their layer, kernels by their path."""
    kernels = kernels_of(model)
    known = {id(kernel.variable) for kernel in kernels} | {id(kernel.mask) for kernel in kernels}
    others = [array(variable) for variable in model.variables if id(variable) not in known]
    return {kernel.path: array(kernel.variable) for kernel in kernels}, others


def masks(model):
    return {kernel.path: array(kernel.mask) for kernel in kernels_of(model) if kernel.mask is not None}
