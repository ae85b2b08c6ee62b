"""Studies of convolutional networks in "Keep the Gradients Flowing": its figures, and its matched pairs."""

from typing import Any

from keras_sparseflow.studies.study import Grid, Study

DENSITIES = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
RATE = 0.1

_TRAINING = {
    "dataset": "cifar100",
    "model": "wide_resnet",
    "depth": 28,
    "width": 10,
    "epochs": 200,
    "batch_size": 128,
    "schedule": "wide_resnet",
    "l2": 5e-4,
}

_OPEN = (
    "The figures are published as pictures. The text gives the densities as 1% to 100% and names, of the variants, "
    "L2_BN, DA_L2_SC_BN, Swish, and Swish with AdamW; the other densities and variants are ours.",
    "200 networks are published in all, which leaves one for each configuration: so one seed is the default.",
    "One learning rate is published, that of SGD with momentum; it is taken for every optimizer.",
)


def _grid(methods: tuple[str, ...], optimizers: tuple[str, ...], variants: tuple[str, ...],
          activations: tuple[str, ...] = ("relu",)) -> Grid:  # fmt: skip
    return {
        "method": methods,
        "density": DENSITIES,
        "optimizer": optimizers,
        "variant": variants,
        "activation": activations,
        "learning_rate": (RATE,),
    }


WIDE_RESNETS = {
    "wrn_random": Study(
        name="wrn_random",
        comparison="densities",
        title="Do the findings on optimizers, regularization and Swish hold for a Wide ResNet with random masks?",
        grids=[
            _grid(
                ("static",),
                ("adagrad", "adam", "momentum"),
                ("BN", "DA_BN", "L2_BN", "SC_BN", "DA_SC_BN", "DA_L2_SC_BN"),
            ),
            _grid(("static",), ("adagrad", "adam", "momentum"), ("DA_L2_SC_BN",), ("swish",)),
            _grid(("static",), ("adamw",), ("DA_L2_SC_BN",), ("relu", "swish")),
        ],
        base=_TRAINING,
        seeds=(0,),
        reproduces="Figures 4 and 24",
        notes=_OPEN,
    ),
    "wrn_magnitude": Study(
        name="wrn_magnitude",
        comparison="densities",
        title="Do they hold where a Wide ResNet is trained dense, pruned by magnitude and fine-tuned?",
        grids=[
            _grid(("static", "magnitude"), ("adam", "momentum"), ("BN", "L2_BN", "DA_SC_BN", "DA_L2_SC_BN")),
        ],
        base=_TRAINING,
        seeds=(0,),
        reproduces="Figure 5",
        notes=(
            *_OPEN,
            "Networks with random masks of the same densities are trained beside the pruned ones, for comparison.",
        ),
    ),
}
"""At their full size; a dense network is the same by either method, and trained once."""

_NOT_PUBLISHED = (
    "Appendix A.1 describes the comparison for convolutional networks; no such results are published. A dense arm has "
    "round(f x channels) of the wide network's channels in every layer, shortcuts included; images and classes stay, "
    "and BatchNorm counts for neither arm.",
    "It is small, so that two cores can train it: other flags make it larger.",
)


def _pairs(name: str, network: str, **size: Any) -> Study:
    """Returns the study of matched pairs of a convolutional network."""
    return Study(
        name=name,
        title=f"Does a sparse {network} beat a dense one of equal capacity?",
        grids=[{"optimizer": ("adam", "momentum"), "variant": ("SC_BN",), "learning_rate": (0.01,)}],
        base={"dataset": "digits", "epochs": 10, "batch_size": 64, "schedule": "cosine", **size},
        max_width=1,
        notes=_NOT_PUBLISHED,
    )


SAME_CAPACITY = {
    "scsdc_wide_resnet": _pairs("scsdc_wide_resnet", "Wide ResNet", model="wide_resnet", depth=10),
    "scsdc_resnet": _pairs("scsdc_resnet", "ResNet", model="resnet", depth=8),
}
"""Matched pairs of convolutional networks."""
