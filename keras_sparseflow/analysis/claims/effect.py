"""The effect of a part of a variant: each run with it beside the run that lacks it and is the same in all else."""

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from keras_sparseflow.analysis.claims.case import HIGHER
from keras_sparseflow.analysis.claims.evidence import gather
from keras_sparseflow.analysis.claims.run_by_run import ACCURACY, Comparison, by_case, part
from keras_sparseflow.analysis.statistics.paired_tests import with_verdicts
from keras_sparseflow.analysis.statistics.signed_rank import SignedRankTest, wilcoxon_signed_rank


def effect_of(
    results: pd.DataFrame,
    name: str,
    has: Sequence[str] = (),
    lacks: Sequence[str] = (),
    value: str = "test_accuracy",
    diverged: str = "worst",
) -> pd.DataFrame:
    """Returns how a part of the variant changes a column, by optimizer and arm.

    A run is paired with that of the same spec whose variant lacks this part alone: of L2, the variant L2 with NR, and
    L2_BN with BN. Decoupled weight decay is no L2. Pairs of one size and seed share initial weights and masks: several
    of them count as one, with their mean.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        name: the part, such as "L2".
        has: parts that both runs of a pair have.
        lacks: parts that neither has.
        value: the column to compare.
        diverged: "worst" or "drop", see `pair_arms`; for other columns than accuracies pairs are left out.

    Returns:
        A DataFrame with `optimizer`, `arm`, the fields of `SignedRankTest`, whose differences are positive where the
        column is higher with the part, and `p_holm`, `verdict` ("yes": it is higher) and `reason`, corrected over all
        rows.

    Raises:
        ValueError: a column is missing, or `diverged` is unknown.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> table = effect_of(read_results("runs/demo"), "BN", value="egf_2")
        >>> table[["optimizer", "arm", "pairs", "verdict"]].values.tolist()
        [['adam', 'sparse', 6, 'too few pairs to tell'], ['adam', 'dense', 6, 'too few pairs to tell']]
    """
    evidence = gather(results, None, value, diverged if value.endswith("accuracy") else "drop")
    pairs = Comparison(part(name, has, lacks), ACCURACY, HIGHER).pairs(evidence)
    by = ["optimizer", "arm"]
    rows, tests = [], []
    for pair, first, second in by_case(pairs, by):
        tests.append(wilcoxon_signed_rank(first, second))
        rows.append({**pair[by], **asdict(tests[-1])})
    return with_verdicts(pd.DataFrame(rows, columns=[*by, *SignedRankTest.__dataclass_fields__]), tests)
