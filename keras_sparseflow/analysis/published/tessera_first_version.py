"""Accuracies that the first version of Tessera, Hooker and Rosman, 2021, prints, to stand beside ours.

The first version (2020, anonymous) has tables of means and standard deviations; the second has figures in their place.
Its text is broken over lines, and of these tables it holds whole rows for one alone: test accuracy on CIFAR-100 at a
learning rate of 0.001. 48 of its 50 numbers are in `tessera_first_version.csv`.

Missing there, because they cannot be read with certainty: both arms of Adagrad without regularization, which stand in
the file as empty cells; the losses on CIFAR-100, of which parts of two rows are left, as it seems of eight columns,
without a sign of which variants these are; and every number on CIFAR-10 and of a learning rate of 0.1, of which the
captions are left.

The header is not in the text either. Each row has ten numbers, dense and sparse in turn, for five variants. Of all ways
to name the columns after variants of table 6a only few agree with its p-values: the third is L2, the fifth SC, the
fourth has BatchNorm, the others are NR and DA, and the dense arm stands first. The first is NR and the second DA,
because DA alone is poor under Adam and good under SGD (4.1). The fourth is BN, as the others are the single variants of
table 5a. The text does not say that the networks have four hidden layers, as everywhere in its section 4, nor over what
the standard deviation is taken; ours is over widths and seeds.
"""

import pandas as pd

from keras_sparseflow.analysis.frames.cells import CELL, cell_columns, completed
from keras_sparseflow.analysis.frames.pairs import mean_over_seeds
from keras_sparseflow.analysis.published.tessera_tables import OPTIMIZERS, load_published

_KEY = ["dataset", "hidden_layers", "learning_rate", "activation", "variant", "optimizer", "arm"]


def load_published_means() -> pd.DataFrame:
    """Returns the accuracies of the first version in percent, one row for each cell and arm; two have no number.

    Example:
        >>> load_published_means().columns.tolist()[3:]
        ['variant', 'optimizer', 'architecture', 'accuracy_percent', 'std']
    """
    return load_published("tessera_first_version.csv")


def beside_published_means(results: pd.DataFrame, value: str = "test_accuracy") -> pd.DataFrame:
    """Returns our mean accuracies over all widths and seeds beside those of the paper's first version.

    Args:
        results: one row per finished run of pairs, as `keras_sparseflow.records.read_results` returns it.
        value: the column that is compared; the paper has test accuracies alone.

    Returns:
        A row for each cell and arm that both have: the columns of a cell, `arm`, `mean`, `std`, `n` and `diverged` of
        ours (see `mean_by_width`), `published_mean` and `published_std`, all as fractions. Empty where the paper has
        none of the cells.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> len(beside_published_means(read_results("runs/demo")))
        0
    """
    results = completed(results)
    cell = cell_columns(results)
    theirs = _theirs()
    known = theirs["published_mean"].notna() & (value == "test_accuracy")
    columns = [*cell, "arm", "mean", "std", "n", "diverged", "published_mean", "published_std"]
    if not pd.api.types.is_numeric_dtype(results["hidden_layers"]):  # convolutional networks have text there
        return pd.DataFrame(columns=columns)
    near = results.assign(learning_rate=results["learning_rate"].round(9))
    ours = near.merge(theirs.loc[known, _KEY], on=_KEY)
    if ours.empty:
        return pd.DataFrame(columns=columns)
    return mean_over_seeds(ours, [*cell, "arm"], value).merge(theirs, on=_KEY)[columns]


def published_gains(cells: pd.DataFrame, value: str = "test_accuracy") -> list[float]:
    """Returns the published mean of sparse networks minus that of dense ones in each cell; NaN where there is none.

    Args:
        cells: a row for each, with the columns of a cell.
        value: the column that is compared.

    Example:
        >>> cell = {"dataset": "cifar100", "hidden_layers": 4, "learning_rate": 0.001, "activation": "relu"}
        >>> [round(gain, 4) for gain in published_gains(pd.DataFrame([{**cell, "variant": "BN", "optimizer": "sgd"}]))]
        [0.03]
    """
    means = _theirs().pivot(index=list(CELL), columns="arm", values="published_mean")
    gains = (means["sparse"] - means["dense"]).to_dict() if value == "test_accuracy" else {}
    keys = cells.assign(learning_rate=cells["learning_rate"].round(9))[list(CELL)].itertuples(index=False, name=None)
    return [float(gains.get(key, float("nan"))) for key in keys]


def _theirs() -> pd.DataFrame:
    """Returns the published rows by our names, with fractions."""
    ours = {theirs: name for name, theirs in OPTIMIZERS.items()}
    rows = load_published_means()
    return pd.DataFrame(
        {
            **{column: rows[column] for column in ("dataset", "hidden_layers", "learning_rate")},
            "activation": "relu",
            "variant": rows["variant"],
            "optimizer": rows["optimizer"].map(ours),
            "arm": rows["architecture"],
            "published_mean": rows["accuracy_percent"] / 100,
            "published_std": rows["std"] / 100,
        }
    )
