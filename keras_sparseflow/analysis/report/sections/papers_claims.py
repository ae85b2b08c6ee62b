"""The papers' claims, each half-sentence judged by the numbers of this study."""

from collections.abc import Sequence

from keras_sparseflow.analysis.claims.claim import JudgedClaim, JudgedHalf
from keras_sparseflow.analysis.report.section import Content, section
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Table
from keras_sparseflow.analysis.statistics.verdicts import NOT_TESTABLE, YES

_READ = (
    "Each half-sentence of a claim is judged by itself, run by run: “yes” means that the difference is as the paper "
    "says, “the other way” that it is the opposite. All p-values are two-sided and corrected by Holm's procedure: for "
    "all tests of this table, and no others, so that p-values of the same pairs are others than those further up."
)
_Judged = tuple[JudgedClaim, JudgedHalf]


@section("claims", "paper", "What the papers claim", "the papers' claims with verdicts")
def papers_claims(numbers: StudyNumbers) -> Content | None:
    """Returns the claims of the papers with their verdicts; nothing where the study can test none."""
    if not numbers.claims:
        return None
    judged = [(claim, half) for claim in numbers.claims for half in claim.halves]
    tested = [(claim, half) for claim, half in judged if half.verdict.answer != NOT_TESTABLE]
    others = [(claim, half) for claim, half in judged if half.verdict.answer == NOT_TESTABLE]
    unmet = [half.outside for _, half in tested]
    everywhere = [words for words in unmet[0] if all(words in outside for outside in unmet)] if unmet else []
    said = f" Conditions of the papers that nothing here meets: {'; '.join(everywhere)}." if everywhere else ""
    tables = [_tested(tested, everywhere)] if tested else []
    return Content([*tables, *([_untested(others)] if others else [])], before=_READ + said)


def _tested(judged: Sequence[_Judged], everywhere: Sequence[str]) -> Table:
    """Returns a row for each verdict; conditions that no row meets are left out, as they are said above."""
    rows = []
    for claim, half in judged:
        answer = half.verdict.answer + (", as claimed" if half.as_claimed and half.verdict.answer != YES else "")
        outside = [words for words in half.outside if words not in everywhere]
        rows.append(
            [
                _claim(claim),
                Cell(_sentence(half)),
                Cell(answer, bold=half.verdict.decided),
                Cell(half.numbers),
                Cell(half.verdict.reason),
                Cell("; ".join(outside)),
            ]
        )
    headings = ["claim", "half-sentence", "here", "numbers", "why", "other conditions here"]
    if not any(row[-1].text for row in rows):
        headings, rows = headings[:-1], [row[:-1] for row in rows]
    return Table("claim-table", "", [Column(heading, text=True) for heading in headings], rows, held=2)


def _untested(judged: Sequence[_Judged]) -> Table:
    """Returns a row for each reason why some half-sentences of a claim can't be tested."""
    together: dict[tuple[str, str], list[_Judged]] = {}
    for claim, half in judged:
        together.setdefault((claim.claim.text, half.verdict.reason), []).append((claim, half))
    rows = [
        [_claim(halves[0][0]), Cell("; ".join(_sentence(half) for _, half in halves)), Cell(reason)]
        for (_, reason), halves in together.items()
    ]
    columns = [Column(heading, text=True) for heading in ("claim", "half-sentences", "why")]
    return Table("untested-claims", "", columns, rows, heading="Not testable here")


def _claim(judged: JudgedClaim) -> Cell:
    return Cell(judged.claim.text, note=f"{judged.claim.paper}: {judged.claim.place}")


def _sentence(half: JudgedHalf) -> str:
    return half.text + (f" ({half.case})" if half.case else "")
