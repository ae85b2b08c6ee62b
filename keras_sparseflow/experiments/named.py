"""What a run's optimizer, schedule and loss are chosen from by name."""

from keras_sparseflow.plugins import Table

OPTIMIZERS = Table(
    "optimizer",
    "keras_sparseflow.optimizers",
    {
        "sgd": "keras.optimizers:SGD",
        "momentum": "keras_sparseflow.training.optimizers:momentum",
        "adam": "keras.optimizers:Adam",
        "adamw": "keras_sparseflow.training.optimizers:AdamW",
        "adagrad": "keras.optimizers:Adagrad",
        "rmsprop": "keras.optimizers:RMSprop",
    },
)
"""Each is called with `learning_rate=` and returns a Keras optimizer, with Keras' own defaults.

One with the attribute `decouples_l2` set is given the variant's L2 as decoupled weight decay of the kernels.
"""

SCHEDULES = Table(
    "schedule",
    "keras_sparseflow.schedules",
    {name: f"keras_sparseflow.training.schedules:{name}" for name in ("constant", "cosine", "step", "wide_resnet")},
)
"""Each maps progress, the share of all steps that are done, to a factor of the learning rate."""

LOSSES = Table(
    "loss",
    "keras_sparseflow.losses",
    {
        "cross_entropy": "keras_sparseflow.training.losses:cross_entropy",
        "squared_error": "keras_sparseflow.training.losses:SquaredError",
    },
)
"""Each is called without arguments and returns a Keras loss of integer labels and logits."""

MODELS = Table(
    "model",
    "keras_sparseflow.models",
    {
        "wide_resnet": "keras_sparseflow.models.architectures:WIDE_RESNET",
        "resnet": "keras_sparseflow.models.resnet:RESNET",
        "vgg": "keras_sparseflow.models.vgg:VGG",
        "mobilenet": "keras_sparseflow.models.mobilenet:MOBILENET",
        "mlp": "keras_sparseflow.models.architectures:MLP",
    },
)
"""Each is an `Architecture`: how a network is built, and its kernels."""
