"""The papers' claims, each judged by the numbers of this study."""

from keras_sparseflow.analysis.claims.tessera import claims as judge_claims
from keras_sparseflow.analysis.report.section import Content
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.table import Cell, Column, Table


def claims(numbers: StudyNumbers) -> Content | None:
    """Returns the claims of the papers with their verdicts; nothing for networks over densities."""
    if not numbers.of_pairs:
        return None
    taus = numbers.correlations
    judged = judge_claims(numbers.results, numbers.comparison, taus if len(taus) else None)
    rows = [
        [Cell(claim.claim), Cell(claim.verdict), Cell(" ".join(claim.numbers)), Cell(claim.rule)] for claim in judged
    ]
    columns = [Column(heading, text=True) for heading in ("claim", "here", "numbers", "rule")]
    return Content([Table("claim-table", "", columns, rows)])
