"""The published numbers of Tessera, Hooker and Rosman, 2021, to stand beside ours."""

import functools
import io
from importlib import resources

import numpy as np
import pandas as pd

EPOCHS = {"fashion_mnist": 500, "cifar10": 1000, "cifar100": 1000}
"""For how many epochs the paper trained on each dataset."""

OPTIMIZERS = {"adagrad": "Adagrad", "adam": "Adam", "rmsprop": "RMSProp", "sgd": "SGD", "momentum": "Mom"}
"""The paper's spelling of each of our optimizers."""

MEASURES = {"grad_norm_1": "g_1", "grad_norm_2": "g_2", "egf_1": "egf_1", "egf_2": "egf_2"}
"""The name that table 1 has here of each of our flow measures."""

# Table 3c says only that each optimizer was given its best regularization. Its ReLU column repeats five
# cells of table 3b to the last digit, which tells them. Tables 5c and 6b repeat none: theirs are unknown.
_VARIANTS_OF_3C = {
    "Adagrad": "DA_SC_BN",
    "Adam": "DA_SC_BN",
    "RMSProp": "DA_SC_BN",
    "SGD": "DA_L2_SC_BN",
    "Mom": "DA_L2_SC_BN",
}


def load_p_values() -> pd.DataFrame:
    """Returns the Wilcoxon p-values of tables 3 to 6, one row per published cell.

    The column `variant` holds the regularization, or, where `axis` is "activation", the activation.
    """
    return _load("wilcoxon_p_values.csv")


def load_kendall_tau() -> pd.DataFrame:
    """Returns table 1: the mean absolute Kendall correlation of each flow measure with performance."""
    return _load("kendall_tau.csv")


def published_p_value(
    dataset: str,
    hidden_layers: int,
    learning_rate: float,
    variant: str,
    optimizer: str,
    activation: str = "relu",
) -> float | None:
    """Returns the paper's p-value for one of our cells, or None where it has none.

    Args:
        dataset: our name, such as "cifar100".
        hidden_layers: the number of hidden layers; the paper's tables have 4.
        learning_rate: 0.001 or 0.1 in the paper.
        variant: such as "NR" or "DA_BN"; the order of its parts does not matter.
        optimizer: our name, such as "momentum".
        activation: "relu" in all tables but 3c, 5c and 6b. Of these, 3c alone lets one tell which
            variant each optimizer was given, so 5c and 6b are never returned.

    Example:
        >>> published_p_value("cifar100", 4, 0.1, "DA_BN", "rmsprop")
        0.027
    """
    rows = load_p_values()
    rows = rows[
        (rows["dataset"] == dataset)
        & (rows["hidden_layers"] == hidden_layers)
        & np.isclose(rows["learning_rate"], learning_rate, rtol=1e-6, atol=0.0)
        & (rows["optimizer"] == OPTIMIZERS.get(optimizer, ""))
    ]
    parts = set(variant.split("_"))
    for row in rows.to_dict("records"):
        if activation == "relu":
            found = row["axis"] == "regularization" and set(row["variant"].split("_")) == parts
        else:
            known = set(_VARIANTS_OF_3C[row["optimizer"]].split("_"))
            found = row["table"] == "3c" and row["variant"] == activation and known == parts
        if found:
            return float(row["p_value"])
    return None


@functools.cache
def _text(name: str) -> str:
    return resources.files("keras_sparseflow.analysis").joinpath("published", name).read_text(encoding="utf-8")


def _load(name: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(_text(name)), dtype={"table": str})
