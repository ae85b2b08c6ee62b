"""Masked layers in a model of your own: a tenth of each hidden kernel is active, before and after training.

python examples/masked_layers.py
"""

import keras
import numpy as np

from keras_sparseflow import MaskedConv2D, MaskedDense, load_images, sparsity_summary


class SmallNetwork(keras.Model):
    """A convolution, a hidden layer and a dense classifier, as one would write them with stock layers."""

    def __init__(self):
        super().__init__()
        self.convolution = MaskedConv2D(16, 3, activation="relu", density=0.1, mask_seed=0)
        self.flatten = keras.layers.Flatten()
        self.hidden = MaskedDense(64, activation="relu", density=0.1, mask_seed=1)
        self.classifier = keras.layers.Dense(10)

    def call(self, images):
        """Returns the logits of a batch of images."""
        return self.classifier(self.hidden(self.flatten(self.convolution(images))))


data = load_images("digits")
keras.utils.set_random_seed(0)
model = SmallNetwork()
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
model.fit(data.train_images, data.train_labels, batch_size=64, epochs=5, verbose=0)

kernel, mask = model.hidden.kernel.numpy(), model.hidden.mask.numpy()
print(sparsity_summary(model, inputs=data.test_images[:1]))
print(f"Active weights of the hidden layer: {mask.sum()} of {mask.size}; all others zero: {not np.any(kernel[~mask])}")
print(f"Test accuracy: {model.evaluate(data.test_images, data.test_labels, verbose=0)[1]:.3f}")
