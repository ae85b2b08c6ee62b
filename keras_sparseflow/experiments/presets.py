"""Studies that can be named."""

from keras_sparseflow.experiments.density_study import DensityStudy
from keras_sparseflow.experiments.paper import FIGURES, TABLE_1, TABLES
from keras_sparseflow.experiments.paper_wide_resnet import WIDE_RESNETS
from keras_sparseflow.experiments.study import Study
from keras_sparseflow.plugins import Table

_MASKED = {
    "density": (0.02, 0.05, 0.1, 0.2),
    "variant": ("DA_L2_SC_BN",),
    "optimizer": ("momentum",),
    "learning_rate": (0.1,),
}

PRESETS = Table(
    "preset",
    "keras_sparseflow.presets",
    {
        "demo": Study(
            name="demo",
            title="Does a sparse network beat a dense one of equal capacity on digits?",
            grids=[{"optimizer": ("sgd", "adam"), "variant": ("NR", "BN"), "learning_rate": (0.03,)}],
            base={"dataset": "digits", "epochs": 30, "batch_size": 64},
        ),
        "single": Study(
            name="single",
            title="Does a sparse network beat a dense one of equal capacity?",
        ),
        **TABLE_1,
        **TABLES,
        **FIGURES,
    },
)
"""`demo` ends within minutes on two cores; `single` is one configuration, every choice its default; the rest repeat a
table or a figure of a paper, at its full size."""

DENSITY_PRESETS = Table(
    "preset of a density study",
    "keras_sparseflow.density_presets",
    {
        "single_density": DensityStudy(
            name="single_density",
            title="How does a network fare with a share of its weights?",
            base={"dataset": "cifar10"},
        ),
        "masks": DensityStudy(
            name="masks",
            title="Which masks keep gradients flowing and networks accurate?",
            grids=[
                {"score": ("random", "magnitude"), "distribution": ("uniform",), **_MASKED},
                {"score": ("random",), "distribution": ("erk",), **_MASKED},
                {"score": ("snip", "grasp", "synflow"), "distribution": ("global",), **_MASKED},
                {"method": ("rigl", "set"), "distribution": ("erk",), **_MASKED},
                {"method": ("magnitude",), **_MASKED},
            ],
            base={"dataset": "cifar10", "depth": 16, "width": 2, "epochs": 100, "schedule": "wide_resnet", "l2": 5e-4},
            notes=[
                "Magnitude before training keeps its share of each kernel: over all kernels together it would take "
                "those with few inputs, whose initial values are the larger ones, and leave others without any weight."
            ],
        ),
        **WIDE_RESNETS,
    },
)
"""Those of `launchers/wide_resnet.py`; `single_density` is one configuration, every choice its default, `masks` every
way in which a network becomes sparse, each with the distribution that its authors use."""

GROUPS = {"table_1": tuple(TABLE_1)}
"""Names of several presets at once: Table 1 has a block for each dataset, and a study has one dataset."""


def preset_names() -> list[str]:
    """Returns every name that `studies_of` takes."""
    return [*PRESETS.names(), *GROUPS]


def studies_of(name: str) -> list[Study]:
    """Returns the study of a preset, or the several of a group.

    Raises:
        ValueError: the name is unknown.

    Example:
        >>> [study.name for study in studies_of("table_1")]
        ['table_1_fashion_mnist', 'table_1_cifar10', 'table_1_cifar100']
    """
    return [PRESETS.get(member) for member in GROUPS.get(name, (name,))]
