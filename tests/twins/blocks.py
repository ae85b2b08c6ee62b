"""Models of layers within layers: transformers, cells, wrappers, and classes of one's own."""

import keras
import numpy as np

layers = keras.layers
registered = keras.saving.register_keras_serializable("tests.blocks")


class WithWidth:
    """Adds the one argument of a layer to its config."""

    def get_config(self):
        return {**super().get_config(), "width": self.width}


@registered
class FeedForward(WithWidth, layers.Layer):
    """Two dense layers, built when it is first called."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.wide, self.narrow = layers.Dense(2 * width, activation="relu"), layers.Dense(width)

    def call(self, inputs):
        return self.narrow(self.wide(inputs))


@registered
class Block(WithWidth, layers.Layer):
    """Attention, and a layer of layers."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.attention, self.norm = layers.MultiHeadAttention(2, 4, name="att"), layers.LayerNormalization()
        self.feed_forward = FeedForward(width, name="ff")

    def call(self, inputs):
        x = inputs + self.attention(inputs, inputs)
        return x + self.feed_forward(self.norm(x))


@registered
class HoldsSequential(WithWidth, layers.Layer):
    """A layer that holds a sequential model, and builds it."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.row = keras.Sequential([layers.Dense(2 * width, activation="relu"), layers.Dense(width)])

    def build(self, shape):
        self.row.build(shape)

    def call(self, inputs):
        return inputs + self.row(inputs)


@registered
class OwnDense(layers.Dense):
    """A subclass of a stock layer that computes something else."""

    def call(self, inputs):
        return 2 * super().call(inputs)


@registered
class Experts(WithWidth, layers.Layer):
    """A layer with two matrices of its own, one under another name, beside a stock layer and a vector of two axes."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.router = layers.Dense(2, activation="softmax", name="router")

    def build(self, shape):
        self._wide = self.add_weight(shape=(2, shape[-1], self.width), name="wide")
        self.narrow = self.add_weight(shape=(2, self.width, shape[-1]), name="narrow")
        self.scale = self.add_weight(shape=(1, shape[-1]), name="scale")
        self.router.build(shape)

    def call(self, inputs):
        each = keras.ops.relu(keras.ops.einsum("bi,eih->beh", inputs, self._wide))
        return inputs + self.scale * keras.ops.einsum("be,beh,ehi->bi", self.router(inputs), each, self.narrow)


@registered
class OwnCell(WithWidth, layers.Layer):
    """A cell that holds a stock layer."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = self.state_size = self.output_size = width
        self.dense = layers.Dense(width, activation="tanh")

    def build(self, shape):
        self.dense.build((None, shape[-1] + self.width))

    def call(self, inputs, states):
        outputs = self.dense(keras.ops.concatenate([inputs, states[0]], -1))
        return outputs, [outputs]


@registered
class Classifier(keras.Model):
    """A functional model with a constructor and a training step of its own."""

    steps: list[str] = []

    def __init__(self, units, **kwargs):
        inputs = keras.Input((6,))
        super().__init__(inputs, layers.Dense(3)(layers.Dense(units, activation="relu")(inputs)), **kwargs)
        self.units = units

    def train_step(self, *args):  # the data alone, or on JAX its state ahead of them
        self.steps.append(self.name)
        return super().train_step(*args)

    def get_config(self):
        return {"units": self.units}


@registered
class Subclassed(keras.Model):
    """A language model of a class of its own, with a method beside `call`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.tokens = layers.Embedding(20, 8)
        self.one, self.two = Block(8), Block(8)
        self.head = OwnDense(3)

    def call(self, inputs):
        return self.head(keras.ops.mean(self.two(self.one(self.tokens(inputs))), axis=1))

    def generate(self, inputs):
        return keras.ops.argmax(self(inputs), axis=-1)


def transformer(kind=keras.Model):
    tokens = keras.Input((5,), dtype="int32")
    x = layers.Embedding(20, 8, name="tokens")(tokens)
    x = HoldsSequential(8, name="row")(Block(8, name="two")(Block(8, name="one")(x)))
    return kind(tokens, OwnDense(3, name="head")(layers.GlobalAveragePooling1D()(x)))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 5), "int32"))
    return model


def cells():
    inputs = keras.Input((4, 6))
    gru = layers.RNN(layers.GRUCell(3), return_sequences=True)
    stacked = layers.RNN([layers.LSTMCell(4), layers.LSTMCell(3)], return_sequences=True, name="stacked")
    x = stacked(layers.Bidirectional(gru, name="both")(inputs))
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.RNN(OwnCell(4), name="own")(x)))


def convolutions(kind=keras.Model):
    inputs = keras.Input((3, 6, 6, 2))
    x = layers.ConvLSTM2D(3, 2, name="lstm")(inputs)
    x = layers.SpectralNormalization(layers.Conv2D(4, 2, name="inner"), name="norm")(x)
    return kind(inputs, layers.Dense(3, name="head")(layers.Flatten()(x)))


def experts():
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(3, name="head")(Experts(6, name="two")(Experts(6, name="one")(inputs))))


def classifier():
    return Classifier(8)


BLOCKS = {each.__name__: each for each in (transformer, subclassed, cells, convolutions, classifier)}


def examples(model, count=4):
    """Random inputs: tokens for the models that embed them."""
    rng = np.random.default_rng(0)
    inputs = getattr(model, "inputs", None)
    if not inputs or "int" in inputs[0].dtype:
        return rng.integers(0, 20, (count, 5))
    return rng.normal(size=(count, *inputs[0].shape[1:])).astype("float32")
