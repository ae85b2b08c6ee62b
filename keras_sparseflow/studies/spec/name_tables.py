"""Tables of named things: optimizers, schedules, losses, architectures and mask schedules."""

from keras_sparseflow.plugins import Table

OPTIMIZERS = Table(
    "optimizer",
    "keras_sparseflow.optimizer",
    {
        "sgd": "keras.optimizers:SGD",
        "momentum": "keras_sparseflow.training.optimizers:momentum",
        "adam": "keras.optimizers:Adam",
        "adamw": "keras_sparseflow.training.optimizers:AdamW",
        "adagrad": "keras_sparseflow.training.optimizers:adagrad",
        "rmsprop": "keras.optimizers:RMSprop",
    },
    expects="callable",
)
"""Each is called with `learning_rate=` and returns a Keras optimizer, by Keras' defaults where the paper names none.

One with the attribute `decouples_l2` set is given the variant's L2 as decoupled weight decay of the kernels.
"""

SCHEDULES = Table(
    "schedule",
    "keras_sparseflow.schedule",
    {name: f"keras_sparseflow.training.schedules:{name}" for name in ("constant", "cosine", "step", "wide_resnet")},
    expects="callable",
)
"""Each maps progress, the share of all steps that are done, to a factor of the learning rate."""

LOSSES = Table(
    "loss",
    "keras_sparseflow.loss",
    {
        "cross_entropy": "keras_sparseflow.training.losses:cross_entropy",
        "squared_error": "keras_sparseflow.training.losses:SquaredError",
    },
    expects="callable",
)
"""Each is called without arguments and returns a Keras loss of integer labels and logits."""

MODELS = Table(
    "model",
    "keras_sparseflow.model",
    {
        "wide_resnet": "keras_sparseflow.models.residual:WIDE_RESNET",
        "resnet": "keras_sparseflow.models.residual:RESNET",
        "vgg": "keras_sparseflow.models.plain:VGG",
        "mobilenet": "keras_sparseflow.models.plain:MOBILENET",
        "vit": "keras_sparseflow.models.transformer:VIT",
        "mlp": "keras_sparseflow.models.perceptron:MLP",
    },
    expects="keras_sparseflow.models.architectures:Architecture",
)
"""Each is an `Architecture`: one description, by which a network is built and its kernels counted."""

MASK_SCHEDULES = Table(
    "mask schedule",
    "keras_sparseflow.mask_schedule",
    {
        "static": "keras_sparseflow.studies.run.mask_changes:static",
        "magnitude": "keras_sparseflow.studies.run.mask_changes:magnitude",
        "rigl": "keras_sparseflow.studies.run.mask_changes:rigl",
        "set": "keras_sparseflow.studies.run.mask_changes:set_",
        "lottery": "keras_sparseflow.studies.run.mask_changes:lottery",
    },
    expects="callable",
)
"""Each is called with a `RunSpec` and the steps of its training, and returns the Keras callbacks that change masks.

One of another package begins with the masks of the spec's score at its density, and keeps how many weights are active.
"""
