"""The section on the papers' claims: which verdicts stand in which table, and what is said once for all of them."""

from types import SimpleNamespace

from keras_sparseflow.analysis.claims.claim import Claim, JudgedClaim, JudgedHalf
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.papers_claims import papers_claims
from keras_sparseflow.analysis.statistics.verdicts import NO_DIFFERENCE, NOT_TESTABLE, YES, Verdict

CLAIM = Claim("Somebody, 1900", "Rain wets.", "page 3", ())
SHORT, SMALL = "500 epochs or more (here 30)", "images in their own size (here 8x8)"


def _half(text, answer, outside=(), as_claimed=False):
    return JudgedHalf(text, "adam", Verdict(answer, "a reason"), "numbers", outside, as_claimed)


def _tables(*halves):
    content = papers_claims(SimpleNamespace(claims=[JudgedClaim(CLAIM, halves)]))
    return content.before, tables_of(content)


def test_a_condition_that_no_verdict_meets_is_said_once_above_the_table():
    before, (table,) = _tables(_half("rain falls", YES, (SHORT, SMALL)), _half("rain wets", YES, (SHORT,)))
    assert before.endswith(f"nothing here meets: {SHORT}.")
    assert [row[-1].text for row in table.rows] == [SMALL, ""]


def test_the_column_of_conditions_is_left_out_where_every_verdict_has_the_same():
    before, (table,) = _tables(_half("rain falls", YES, (SHORT,)), _half("rain wets", NO_DIFFERENCE, (SHORT,), True))
    assert SHORT in before and [column.heading for column in table.columns][-1] == "why"
    assert [cell.text for cell in table.rows[1]][1:3] == ["rain wets (adam)", "no difference seen, as claimed"]


def test_half_sentences_that_cannot_be_tested_stand_apart_by_their_reason():
    lost = _half("snow falls", NOT_TESTABLE), _half("snow melts", NOT_TESTABLE)
    before, (tested, untested) = _tables(lost[0], _half("rain falls", YES), lost[1])
    assert "nothing here meets" not in before and len(tested.rows) == 1
    assert [cell.text for cell in untested.rows[0]] == [
        "Rain wets.", "snow falls (adam); snow melts (adam)", "a reason",
    ]  # fmt: skip


def test_a_study_may_have_no_verdict_but_not_testable():
    _, (untested,) = _tables(_half("snow falls", NOT_TESTABLE))
    assert untested.heading == "Not testable here"
