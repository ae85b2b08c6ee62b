"""The tables of mask scores and sparsity distributions by name."""

from keras_sparseflow.plugins import Table

SCORES = Table(
    "mask score",
    "keras_sparseflow.score",
    {
        "random": "keras_sparseflow.masks.scores.simple:random_scores",
        "magnitude": "keras_sparseflow.masks.scores.simple:magnitude_scores",
        "snip": "keras_sparseflow.masks.scores.snip:snip_scores",
        "grasp": "keras_sparseflow.masks.scores.grasp:grasp_scores",
        "synflow": "keras_sparseflow.masks.scores.synflow:synflow_scores",
    },
    expects="callable",
)
"""Functions `(problem) -> scores`; scores are one array of each kernel's shape."""

DISTRIBUTIONS = Table(
    "sparsity distribution",
    "keras_sparseflow.distribution",
    {
        "uniform": "keras_sparseflow.masks.distributions:uniform",
        "erk": "keras_sparseflow.masks.distributions:erk",
        "er": "keras_sparseflow.masks.distributions:er",
        "global": "keras_sparseflow.masks.distributions:all_together",
    },
    expects="callable",
)
"""Functions `(shapes, density) -> counts`; counts are one for each shape, or one for all together."""
