"""The table of presets: studies by name."""

import sys

from keras_sparseflow.plugins import Table
from keras_sparseflow.studies.presets.starting_points import study_from
from keras_sparseflow.studies.presets.tessera import FIGURES, LOW, TABLE_1, TABLES
from keras_sparseflow.studies.presets.tost_studies import TOST
from keras_sparseflow.studies.presets.vits import VITS
from keras_sparseflow.studies.presets.wide_resnets import SAME_CAPACITY, WIDE_RESNETS
from keras_sparseflow.studies.study import Grid, Study

_MAGNITUDE = (
    "Magnitude before training keeps its share of each kernel: over all kernels together it would take those with few "
    "inputs, whose initial values are the larger ones, and leave others without any weight."
)


def _every_mask(shared: Grid) -> list[Grid]:
    """Returns grids of every way in which a network becomes sparse, each with the distribution that its authors use.

    Args:
        shared: the fields that all of them have in common.
    """
    ways: list[Grid] = [
        {"score": ("random", "magnitude"), "distribution": ("uniform",)},
        {"score": ("random",), "distribution": ("erk",)},
        {"score": ("snip", "grasp", "synflow"), "distribution": ("global",)},
        {"method": ("rigl", "set"), "distribution": ("erk",)},
        {"method": ("magnitude",)},
        {"method": ("lottery",), "distribution": ("global",), "density": (*_FIRST_ROUNDS, *shared["density"])},
    ]
    return [{**shared, **way} for way in ways]


_FIRST_ROUNDS = (0.7, 0.4)
"""Densities through which lottery tickets fall to those of other methods."""

_WRN_16_2 = {
    "dataset": "cifar10",
    "model": "wide_resnet",
    "depth": 16,
    "width": 2,
    "epochs": 100,
    "schedule": "wide_resnet",
    "l2": 5e-4,
}
_RECIPE: Grid = {"variant": ("DA_L2_SC_BN",), "optimizer": ("momentum",), "learning_rate": (0.1,)}


_OWN = {
    "demo": Study(
        name="demo",
        title="Does a sparse network beat a dense one of equal capacity on digits?",
        grids=[{"optimizer": ("sgd", "adam"), "variant": ("NR", "BN"), "learning_rate": (0.03,)}],
        base={"dataset": "digits", "epochs": 30, "batch_size": 64},
    ),
    "single": study_from(
        "mlp",
        name="single",
        title="Does a sparse network beat a dense one of equal capacity?",
    ),
    "single_density": study_from(
        "wide_resnet",
        name="single_density",
        title="How does a network for images fare with a share of its weights?",
        comparison="densities",
        grid={"density": (0.05, 0.2, 1.0)},
    ),
    "single_tweaks": study_from(
        "resnet",
        name="single_tweaks",
        title="Do the tweaks of ToST help a sparse network?",
        comparison="densities",
        grid={"density": (0.1,), "tweaks": ("none", "tost")},
        base={"rescale_iterations": 20},
    ),
    "bn_skew": Study(
        name="bn_skew",
        title="Does BatchNorm move the gradients of sparse networks more than those of dense ones?",
        grids=[
            {"optimizer": ("adam", "rmsprop"), "variant": ("NR", "BN"), "learning_rate": (LOW,)},
            {"optimizer": ("adagrad", "sgd", "momentum"), "variant": ("NR", "BN"), "learning_rate": (0.01,)},
        ],
        base={"dataset": "cifar10", "image_size": 8, "train_size": 10_000, "epochs": 30},
        notes=[
            "The report answers it by layer, in the section on flow by layer with and without BatchNorm: the change by "
            "BatchNorm in a sparse network over that in the dense one of equal capacity and seed.",
            "Rates are low, so that networks train without BatchNorm too. The study is small, so that two cores can "
            "train it within an hour: other flags make it larger.",
        ],
    ),
    "masks": Study(
        name="masks",
        comparison="densities",
        title="Which masks keep gradients flowing and networks accurate?",
        grids=_every_mask({"density": (0.02, 0.05, 0.1, 0.2), **_RECIPE}),
        base={**_WRN_16_2, "rewind_step": 1000},
        notes=[_MAGNITUDE],
    ),
    "lottery": Study(
        name="lottery",
        comparison="densities",
        title="How few weights does a lottery ticket need?",
        grids=({"distribution": ("global",), **_RECIPE},),
        base={**_WRN_16_2, "rewind_step": 1000},
        rounds=15,
    ),
    "masks_mlp": Study(
        name="masks_mlp",
        comparison="densities",
        title="Which masks keep gradients flowing in multilayer perceptrons, with which optimizer?",
        grids=_every_mask(
            {
                "density": (0.02, 0.05, 0.1, 0.2, 1.0),
                "variant": ("NR", "BN"),
                "optimizer": ("adam", "momentum"),
                "learning_rate": (LOW,),
            }
        ),
        base={"dataset": "fashion_mnist", "width": 788, "epochs": 100},
        notes=[
            _MAGNITUDE,
            "Of Table 4 the preset has the dataset, the four hidden layers of its widest networks, two optimizers, "
            "two variants and the learning rate, and a fifth of its epochs.",
        ],
    ),
}
"""Studies that repeat nothing. `single`, `single_density` and `single_tweaks` are small, and where launchers begin;
`bn_skew` asks of BatchNorm and gradients, layer by layer;
`masks` and `masks_mlp` are all ways in which networks become sparse, each with the distribution that its authors use;
`lottery` is fifteen rounds of tickets."""

_TESSERA, _TOST = "Keep the Gradients Flowing (Tessera et al. 2021)", "ToST (Jaiswal et al. 2022)"

PAPERS = {
    "Studies of one's own": (*_OWN, *VITS),
    _TESSERA: (*TABLE_1, *TABLES, *FIGURES, *WIDE_RESNETS, *SAME_CAPACITY),
    _TOST: tuple(TOST),
}
"""The names of presets by the paper of which they repeat what is published, or of `scsdc_*` described."""

PRESETS = Table(
    "preset",
    "keras_sparseflow.preset",
    {**_OWN, **TABLE_1, **TABLES, **FIGURES, **WIDE_RESNETS, **SAME_CAPACITY, **VITS, **TOST},
    expects="keras_sparseflow.studies.study:Study",
)
"""Every preset that can be named."""

GROUPS = {
    "table_1": tuple(TABLE_1),
    "vit_small": tuple(VITS),
    "tessera": PAPERS[_TESSERA],
    "tost": PAPERS[_TOST],
}
"""Names of several presets at once: a study has one dataset, and Table 1 a block for each; it has one comparison, and
`vit_small` two; `tessera` and `tost` are all presets of a paper."""


def preset_names() -> list[str]:
    """Returns every name that `studies_of` takes.

    Example:
        >>> "demo" in preset_names(), "table_1" in preset_names()
        (True, True)
    """
    return [*PRESETS.names(), *GROUPS]


def studies_of(name: str) -> list[Study]:
    """Returns the study of a preset, or the several of a group.

    Args:
        name: of a preset or of a group of presets.

    Raises:
        ValueError: the name is unknown.

    Example:
        >>> [study.name for study in studies_of("table_1")]
        ['table_1_fashion_mnist', 'table_1_cifar10', 'table_1_cifar100']
    """
    return [PRESETS.get(member) for member in GROUPS.get(name, (name,))]


def papers_and_presets() -> dict[str, list[Study]]:
    """Returns every preset by its paper, those of other packages last; of these that can't be had it prints the reason.

    Example:
        >>> [study.name for study in papers_and_presets()["Studies of one's own"]][:2]
        ['demo', 'single']
    """
    studies = {study.name: study for study in listed_presets()}
    listed = {paper: [studies.pop(name) for name in names] for paper, names in PAPERS.items()}
    return {**listed, **({"Of other packages": list(studies.values())} if studies else {})}


def listed_presets() -> list[Study]:
    """Returns every preset; of those of other packages that can't be had it prints the reason.

    Example:
        >>> [study.name for study in listed_presets()][:2]
        ['demo', 'single']
    """
    found, broken = PRESETS.load_all()
    for reason in broken.values():
        print(f"Left out: {reason}", file=sys.stderr)
    return list(found.values())
