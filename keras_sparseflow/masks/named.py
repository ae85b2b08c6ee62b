"""Scores and sparsity distributions that can be named."""

from keras_sparseflow.plugins import Table

SCORES = Table(
    "mask score",
    "keras_sparseflow.score",
    {
        "random": "keras_sparseflow.masks.scores:random_scores",
        "magnitude": "keras_sparseflow.masks.scores:magnitude_scores",
        "snip": "keras_sparseflow.masks.snip:snip_scores",
        "grasp": "keras_sparseflow.masks.grasp:grasp_scores",
        "synflow": "keras_sparseflow.masks.synflow:synflow_scores",
    },
    expects="callable",
)
"""Functions `(problem) -> scores`, an array of each kernel's shape."""

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
"""Functions `(shapes, density) -> counts`, one count for each shape, or one for all of them together."""
