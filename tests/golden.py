"""The results that the networks of the demo came to, to be held against what they come to after the code has changed.

    python tests/golden.py runs/demo            compares a finished demo with tests/golden.csv
    python tests/golden.py runs/demo --write    writes that file

Rows are equal to the bit where the same networks train together on one kind of machine, and to rounding elsewhere.
"""

import sys
from pathlib import Path

import pandas as pd

from keras_sparseflow.records import read_results

GOLDEN = Path(__file__).with_suffix(".csv")
NETWORK = ["optimizer", "variant", "dense_width", "arm", "seed"]
NUMBERS = ["test_accuracy", "test_loss", "train_accuracy", "train_loss", "grad_norm_1", "grad_norm_2", "egf_1", "egf_2"]


def rows_of(study_dir: Path) -> pd.DataFrame:
    """Returns the numbers of each network of a finished demo."""
    return read_results(study_dir).set_index(NETWORK)[NUMBERS].sort_index()


def main(study_dir: str, *options: str) -> None:
    found = rows_of(Path(study_dir))
    if "--write" in options:
        found.to_csv(GOLDEN)
        return
    golden = pd.read_csv(GOLDEN, index_col=list(range(len(NETWORK))))
    networks = golden.index.intersection(found.index)
    ours, theirs = found.loc[networks], golden.loc[networks]
    apart = (ours - theirs).abs() / theirs.abs().clip(lower=1e-12)
    print(f"{len(networks)} networks of {len(golden)}; {int((ours == theirs).all(axis=1).sum())} equal to the bit.")
    print(pd.DataFrame({"largest relative difference": apart.max(), "median": apart.median()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
