"""Effective gradient flow of a dense model that you have already: along its training, and of the trained network.

python examples/gradient_flow_of_a_dense_model.py
"""

import keras

from keras_sparseflow import GradientFlow, load_images, measure_flow

data = load_images("digits")
keras.utils.set_random_seed(0)
layers = keras.layers
model = keras.Sequential(
    [
        keras.Input(data.train_images.shape[1:]),
        layers.Conv2D(16, 3, activation="relu", name="conv"),
        layers.Flatten(),
        layers.Dense(64, activation="relu", name="hidden"),
        layers.Dense(10, name="classifier"),
    ],
    name="mine",
)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])

probe = (data.train_images[:256], data.train_labels[:256])
flow = GradientFlow(data=probe, measures=["egf_2"], epochs=[0, 2, 4])
model.fit(data.train_images, data.train_labels, batch_size=64, epochs=5, verbose=0, callbacks=[flow])
print(flow.to_frame().pivot(index="epoch", columns="layer", values="value").round(3))

for row in measure_flow(model, (data.test_images, data.test_labels), measures=["egf_2", "grad_norm_2"]):
    if row["layer"] == "total":
        print(f"{row['measure']} on test images: {row['value']:.3f}")
