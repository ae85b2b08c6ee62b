"""The way of a study through the package is short, and no step of its main line is taken twice."""

import re
from pathlib import Path

import pytest

from tests import processes

MOST = 20
"""Modules of `studies` before the first training step, `studies/spec` counted as one."""


@pytest.mark.slow
def test_the_demo_passes_few_modules_before_its_first_step():
    done = processes.run(Path(__file__).parents[1] / "path.py")
    assert done.returncode == 0, done.stderr
    modules = int(re.search(r"^(\d+) modules$", done.stdout, re.MULTILINE)[1])
    assert modules <= MOST, done.stdout
    again = re.findall(r"^\d+ times: keras_sparseflow\.studies\.(.+)$", done.stdout, re.MULTILINE)
    assert set(again) == {"study.value", "size.cost.whole_flops"}, "a choice of a study, and a run's operations"
