"""The tests of Keras that a masked layer fails, and why: each must fail, so that this list stays true."""

from typing import NamedTuple


class Difference(NamedTuple):
    """Tests that fail for one reason.

    Args:
        reason: a sentence.
        raises: the exception of every one of them.
        tests: patterns of `TestCase.test_name`; each test that matches must fail.
    """

    reason: str
    raises: type[Exception]
    tests: tuple[str, ...]


DIFFERENCES: tuple[Difference, ...] = ()
