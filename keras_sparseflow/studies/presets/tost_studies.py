"""A study for every table and figure of measurements in "Training Your Sparse Neural Network Better with Any Mask"."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_sparseflow.studies.study import Grid, Study

_TRAINING = {
    "epochs": 180,
    "batch_size": 128,
    "schedule": "step",
    "l2": 2e-4,
    "rewind_step": 0,
}

_NETWORKS = {
    "resnet_18": {"model": "resnet", "depth": 18, "width": 1},
    "resnet_32": {"model": "resnet", "depth": 32, "width": 2},
    "resnet_50": {"model": "resnet", "depth": 50, "width": 1},
    "vgg_16": {"model": "vgg", "depth": 16, "width": 1},
    "mobilenet": {"model": "mobilenet", "depth": 28, "width": 1},
}

_NAMES = {"resnet_18": "ResNet-18", "resnet_32": "ResNet-32", "resnet_50": "ResNet-50"}
"""Networks as the paper's tables name them."""

_SINGLY = ("none", "GSk", "GSw", "LRsI", "LS", "tost")

_TICKETS = (
    "Tickets go back to their initial values: the text trains masks from scratch and keeps the original initialization "
    "(2.1, 2.3). They are pruned over all kernels by about a fifth in a round, which the paper does not say. They are "
    "found without tweaks, and trained with and without them."
)
_RANDOM = "Random masks have the same density in every kernel; the paper does not say how it draws them."
_GHOSTS = "How beta grows and alpha falls is ours: the paper says that they do, until just before the first decay."
_HESSIAN = (
    "Curvature is that of the loss of training images, as many as `diagnostic_samples` says, over the active weights, "
    "with BatchNorm in inference mode; the paper says neither."
)
_RESNET_32 = (
    "ResNet-32 is taken to have twice the channels of He et al. 2016, as in the code of GraSP, whose dense accuracy "
    "the table has."
)


def _rounds(*densities: float) -> tuple[float, ...]:
    """Returns densities of rounds that each remove a fifth of the weights, up to a quarter to meet one of these."""
    rounds, density = [], 1.0
    for wanted in sorted(densities, reverse=True):
        while round(0.8 * density, 3) > 1.1 * wanted:
            density = round(0.8 * density, 3)
            rounds.append(density)
        density = wanted
        rounds.append(density)
    return tuple(rounds)


def _masks(names: Sequence[str], densities: tuple[float, ...], tweaks: tuple[str, ...], variant: str) -> list[Grid]:
    """Returns grids of masks that ToST's tables name, each with and without tweaks."""
    training: Grid = {"variant": (variant,), "optimizer": ("momentum",), "learning_rate": (0.1,)}
    over_all: Grid = {"distribution": ("global",), "density": densities, "tweaks": tweaks, **training}
    grids: list[Grid] = []
    if "random" in names:
        grids.append({**over_all, "score": ("random",), "distribution": ("uniform",)})
    scores = tuple(name for name in names if name not in ("random", "lth"))
    if scores:
        grids.append({**over_all, "score": scores})
    if "lth" in names:
        tickets: Grid = {**over_all, "method": ("lottery",)}
        grids += [{**tickets, "density": _rounds(*densities), "tweaks": ("none",)}, tickets]
    return grids


def _study(name: str, title: str, reproduces: str, network: str, dataset: str, grids: Sequence[Grid],
           notes: Sequence[str], published: Mapping[str, str] | None = None, **base: Any) -> Study:  # fmt: skip
    tickets = [_TICKETS] if any("lottery" in grid.get("method", ()) for grid in grids) else []
    return Study(
        name=name,
        title=title,
        comparison="densities",
        grids=grids,
        base={"dataset": dataset, **_NETWORKS[network], **_TRAINING, **base},
        reproduces=reproduces,
        published=published or {},
        notes=[*notes, *tickets, _GHOSTS, *([_RESNET_32] if network == "resnet_32" else [])],
    )


def _table_2(network: str, dataset: str) -> Study:
    grids = _masks(("random", "snip", "grasp", "synflow", "lth"), (0.1, 0.05, 0.02), ("none", "tost"), "DA_L2_SC_BN")
    return _study(
        f"tost_2_{dataset}_{network}",
        "Do the tweaks of ToST help any mask?",
        "ToST, Table 2",
        network,
        dataset,
        grids,
        [_RANDOM],
        {"table": "2", "dataset": dataset, "architecture": _NAMES[network]},
    )


def _decaying(decay: str, grids: Sequence[Grid]) -> list[Grid]:
    """Returns grids whose ghosts fade in some way, or stay."""
    return [{**grid, "ghost_decay": (decay,)} for grid in grids]


def _figure_6(decay: str) -> Study:
    kept = decay == "none"
    return _study(
        f"tost_figure_6_{'kept' if kept else 'faded'}",
        "Do ghosts help as much that stay to the end?" if kept else "Do ghosts help that fade?",
        "ToST, Figure 6",
        "resnet_18",
        "cifar100",
        _decaying(decay, _masks(("lth",), (0.2, 0.15, 0.1, 0.05), ("none", "GSk", "GSw"), "DA_L2_SC_BN")),
        ["The figure does not name its network; that of Table 4 is taken."],
    )


_SCHEDULES: tuple[Grid, ...] = (
    {"ghost_decay": ("cosine",), "ghost_until": (0.5, 0.75)},
    {"ghost_decay": ("abrupt",), "ghost_until": (0.95,)},
    {"ghost_decay": ("none",)},
)
"""Ghosts that fade before the first decay of the learning rate or after it, that go at once near the end, or stay."""


def _ghosts() -> Study:
    """Returns the study of section 3.4: one ticket under every schedule of ghosts."""
    rounds, ticket = _masks(("lth",), (0.05,), ("GSk", "GSw"), "DA_L2_SC_BN")
    return _study(
        "tost_ghosts",
        "When should ghosts go?",
        "ToST, Section 3.4",
        "resnet_18",
        "cifar100",
        [rounds, *({**ticket, **schedule} for schedule in _SCHEDULES)],
        [
            "After the first decay means by the second one here, at three quarters of the training, and near the end "
            "at 95% of it; the paper gives neither. The network is taken to be that of Table 4."
        ],
        {"table": "3.4"},
    )


def _figure_7(network: str, dataset: str) -> Study:
    return _study(
        f"tost_figure_7_{dataset}_{network}",
        "Do the tweaks of ToST help lottery tickets of other networks?",
        "ToST, Figure 7",
        network,
        dataset,
        _masks(("lth",), (0.8, 0.512, 0.328, 0.21, 0.134, 0.086, 0.055, 0.03), ("none", "tost"), "DA_L2_BN"),
        ["Densities are read off the figure's range of sparsities, 20% to 97%."],
    )


def _watched(
    name: str,
    title: str,
    reproduces: str,
    tweaks: tuple[str, ...],
    diagnostics: tuple[str, ...],
    notes: Sequence[str],
    published: Mapping[str, str] | None = None,
    soft: tuple[str, ...] = ("swish",),
    decay: str = "cosine",
    **base: Any,
) -> Study:
    """Returns a study of the ticket that the paper looks into: 90% sparse, of ResNet-18, on CIFAR-100."""
    grids = _decaying(decay, _masks(("lth",), (0.1,), tweaks, "DA_L2_SC_BN"))
    grids = [{**grid, "ghost_activation": soft} for grid in grids]
    base = {"diagnostics": diagnostics, **_OFTEN, **base}
    return _study(name, title, reproduces, "resnet_18", "cifar100", grids, notes, published, **base)


_OFTEN = {"diagnostic_epochs": 19, "flow_epochs": 19}
"""Every tenth of 180 epochs, for curves along the training."""

_STUDIES = [
    _watched(
        "tost_1",
        "Do soft activations leave fewer of them at zero?",
        "ToST, Table 1",
        ("none", "GSw"),
        ("activation_sparsity",),
        [
            "Soft activations stay to the end here, as the paper gives numbers of networks that have them.",
            "The authors' code counts outputs of at most 0.01 in size on test images, of one activation function at a "
            "time, which the paper does not name; exact zeros on training images stand beside these.",
        ],
        published={"table": "1"},
        soft=("swish", "mish"),
        decay="none",
        near_zero=0.01,
    ),
    *(_table_2(network, dataset) for network in ("resnet_32", "resnet_50") for dataset in ("cifar10", "cifar100")),
    _study(
        "tost_3",
        "Do they help on Tiny-ImageNet?",
        "ToST, Table 3",
        "resnet_50",
        "folder",
        _masks(("snip", "lth"), (0.15, 0.1, 0.05), ("none", "tost"), "DA_L2_SC_BN"),
        ["The images are those of --data_dir, Tiny-ImageNet as it is unpacked."],
        {"table": "3", "dataset": "tiny_imagenet", "architecture": _NAMES["resnet_50"]},
    ),
    _study(
        "tost_4",
        "Which tweak of ToST helps a lottery ticket?",
        "ToST, Table 4",
        "resnet_18",
        "cifar100",
        _masks(("lth",), (0.25, 0.2, 0.15, 0.1, 0.05), _SINGLY, "DA_L2_SC_BN"),
        [],
        {"table": "4", "dataset": "cifar100", "architecture": _NAMES["resnet_18"]},
    ),
    _study(
        "tost_5",
        "Do ghosts help dense networks too?",
        "ToST, Table 5",
        "resnet_18",
        "cifar100",
        _masks(("lth",), (1.0, 0.8, 0.25, 0.05), ("none", "GSk", "GSw"), "DA_L2_SC_BN"),
        [],
        {"table": "5"},
    ),
    _watched(
        "tost_figure_2",
        "How chaotic is the training of a sparse network?",
        "ToST, Figure 2",
        ("none",),
        ("top_eigenvalue",),
        [_HESSIAN, "The figure's lines are of tickets; the rounds before, and the dense network, stand beside them."],
    ),
    *(_figure_6(decay) for decay in ("cosine", "none")),
    _ghosts(),
    *(_figure_7(network, dataset) for network in ("vgg_16", "mobilenet") for dataset in ("cifar10", "cifar100")),
    _watched(
        "tost_figure_8",
        "Are minima flatter along the steepest direction with the tweaks of ToST?",
        "ToST, Figure 8",
        _SINGLY,
        ("loss_along",),
        [_HESSIAN, "The loss along its top eigenvector is that of as many test images."],
    ),
    _watched(
        "tost_figure_9",
        "Do the tweaks of ToST smooth the training and let gradients flow?",
        "ToST, Figure 9",
        ("none", "tost"),
        ("top_eigenvalue",),
        [_HESSIAN],
    ),
    _watched(
        "tost_figure_10",
        "Is the loss flatter around networks trained with the tweaks of ToST?",
        "ToST, Figure 10",
        ("none", "GSk", "GSw", "LRsI", "LS"),
        ("loss_surface",),
        [
            "The loss is that of test images, as many as `diagnostic_samples` says, over filter-normalised random "
            "directions of the weights; the paper's text speaks of the input space, its reference draws weights."
        ],
    ),
    _study(
        "tost_ablation",
        "Which tweak of ToST helps a mask that needs no training?",
        "ToST, Tables 2 and 4 and Figure 9, with random and SNIP masks",
        "resnet_32",
        "cifar10",
        _masks(("random", "snip"), (0.1, 0.02), _SINGLY, "DA_L2_SC_BN"),
        [_RANDOM, _HESSIAN],
        {"table": "2", "dataset": "cifar10", "architecture": _NAMES["resnet_32"]},
        diagnostics=("top_eigenvalue", "activation_sparsity", "loss_along", "loss_surface"),
        **_OFTEN,
    ),
]

TOST = {study.name: study for study in _STUDIES}
"""Tables 1 to 5, section 3.4 and figures 2 and 6 to 10, at their full size."""
