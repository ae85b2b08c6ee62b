"""The papers' claims, each half-sentence judged by the numbers of this study."""

from keras_sparseflow.analysis.claims.claim import JudgedClaim, JudgedHalf
from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Table
from keras_sparseflow.analysis.statistics.verdicts import YES

_READ = (
    "Each half-sentence of a claim is judged by itself, run by run: “yes” means that the difference is as the paper "
    "says, “the other way” that it is the opposite. All p-values are two-sided and corrected by Holm's procedure: for "
    "all tests of this table, and no others, so that p-values of the same pairs are others than those further up. The "
    "last column names conditions of the paper that this study does not meet."
)
_HEADINGS = ("claim", "half-sentence", "here", "numbers", "why", "other conditions here")


@section("claims", "paper", "What the papers claim", "the papers' claims with verdicts")
def papers_claims(numbers: StudyNumbers) -> Content | None:
    """Returns the claims of the papers with their verdicts; nothing where the study can test none."""
    if not numbers.claims:
        return None
    rows = [_row(claim, half) for claim in numbers.claims for half in claim.halves]
    columns = [Column(heading, text=True) for heading in _HEADINGS]
    return Content([Table("claim-table", "", columns, rows, held=2)], before=_READ)


def _row(judged: JudgedClaim, half: JudgedHalf) -> list[Cell]:
    answer = half.verdict.answer + (", as claimed" if half.as_claimed and half.verdict.answer != YES else "")
    claim = judged.claim
    return [
        Cell(claim.text, note=f"{claim.paper}: {claim.place}"),
        Cell(half.text + (f" ({half.case})" if half.case else "")),
        Cell(answer, bold=half.verdict.decided),
        Cell(half.numbers),
        Cell(half.verdict.reason),
        Cell("; ".join(half.outside)),
    ]
