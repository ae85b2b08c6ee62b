"""What references say of themselves is read from source files, and nothing of them is imported."""

import sys

import pytest

from keras_sparseflow.plugins.sources import help_of, problem_of

FILES = {
    "__init__": '"""An orchard. It has trees."""\nfrom ._inner import *\n',
    "trees": '''
        """Trees of all kinds.

        And more of them.
        """
        import orchard_that_is_not_there
        from .deep import Oak, beech as birch
        from orchard.deep import ELM

        def ash(x):
            """Returns an ash
            of one's own. It is tall.
            """

        class Yew:
            """Evergreen, e.g. in churchyards"""

            def cut(self):
                """Cuts it."""

        if True:
            PINE = Yew()
            """Has cones."""
        try:
            LARCH = make(1, help="loses its needles.", other="no")
        finally:
            FIR: object = make(title="in a box")
        ALDER = ash
        bare = 3
        def plain(): pass
        ''',
    "deep": '''
        class Oak:
            """Has acorns."""
        beech = 1
        """Has nuts."""
        from .trees import round_and_round
        ELM = 2
        ''',
    "open": "def __getattr__(name): return name\n",
    "made": "globals()['a'] = 1\n",
    "wrong": "def (:\n",
}


@pytest.fixture(name="orchard", autouse=True)
def _orchard(tmp_path, monkeypatch):
    import textwrap

    (tmp_path / "orchard").mkdir()
    for name, text in FILES.items():
        (tmp_path / "orchard" / f"{name}.py").write_text(textwrap.dedent(text))
    (tmp_path / "orchard" / "compiled.so").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    assert not [name for name in sys.modules if name.startswith("orchard")], "nothing was imported"


@pytest.mark.parametrize(
    ("attribute", "help"),
    [
        ("ash", "Returns an ash of one's own"),
        ("Yew", "Evergreen, e.g. in churchyards"),
        ("PINE", "Has cones"),
        ("LARCH", "loses its needles"),
        ("FIR", "in a box"),
        ("ALDER", "Returns an ash of one's own"),
        ("Oak", "Has acorns"),
        ("birch", "Has nuts"),
        ("ELM", ""),
        ("bare", ""),
        ("plain", ""),
        ("missing", ""),
    ],
)
def test_help_is_the_first_sentence_of_the_docstring(attribute, help):
    assert help_of(f"orchard.trees:{attribute}") == help


def test_help_of_other_references():
    assert help_of("orchard.trees") == "Trees of all kinds" and help_of("orchard") == "An orchard"
    for reference in (
        "orchard.nothing:x",
        "no_such_orchard:x",
        "math:pi",
        "orchard.wrong:x",
        "not one",
        "__main__:absent",
        "",
    ):
        assert help_of(reference) == "", reference
    assert help_of("orchard.deep:round_and_round") == "", "two modules that import a name from each other"


def test_help_of_objects():
    class Named:
        """Not of the object."""

        help = "Its own. And more."

    def documented():
        """Does nothing."""

    assert help_of(Named()) == "Its own" and help_of(documented) == "Does nothing"
    assert help_of(3) == "" and help_of(Named.__init__) != "Its own"


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("orchard.trees:ash", ""),
        ("orchard.trees:Oak", ""),
        ("orchard.trees:PINE", ""),
        ("orchard.trees", ""),
        ("orchard:trees", ""),
        ("orchard:anything", ""),  # of what it imports all of
        ("orchard.open:anything", ""),
        ("orchard.made:anything", ""),
        ("orchard.compiled:anything", ""),
        ("math:pi", ""),
        ("orchard.trees:Oak [extra]", ""),
        ("orchard.trees:palm", "orchard.trees has no 'palm'"),
        ("orchard.shrubs:box", "there is no module 'orchard.shrubs'"),
        ("orchards.trees:ash", "there is no module 'orchards.trees'"),
        ("orchard.wrong:x", "orchard.wrong is no Python: wrong.py, line 1: invalid syntax"),
        ("orchard/trees.py:ash", "expected a reference such as my_package.scores:my_score; received 'orchard/trees.py"),
    ],
)
def test_problems_that_files_show(reference, problem):
    assert problem_of(reference).startswith(problem) and bool(problem_of(reference)) == bool(problem)
