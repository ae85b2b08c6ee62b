"""Studies that can be named."""

from keras_sparseflow.experiments.study import Study
from keras_sparseflow.plugins import Table

PRESETS = Table(
    "preset",
    "keras_sparseflow.presets",
    {
        "demo": Study(
            name="demo",
            title="Does a sparse network beat a dense one of equal capacity on digits?",
            grid={"optimizer": ("sgd", "adam"), "variant": ("NR", "BN"), "learning_rate": (0.03,)},
            base={"dataset": "digits", "epochs": 30, "batch_size": 64},
        ),
        "single": Study(
            name="single",
            title="Does a sparse network beat a dense one of equal capacity?",
        ),
    },
)
"""`demo` ends within minutes on two cores; `single` is one configuration, every choice its default."""
