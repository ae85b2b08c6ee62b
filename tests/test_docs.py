"""README and docs tell the truth: their code runs, their commands are accepted, their links lead somewhere."""

import ast
import os
import re
import shlex
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

import keras_sparseflow
from keras_sparseflow.studies.presets.preset_table import preset_names
from tests import processes

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


FIRST_PAGE = (ROOT / "docs" / "index.md").read_text()
LAUNCHERS = sorted(path.stem for path in (ROOT / "launchers").glob("*.py"))


def python_blocks(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page):
    """Every launcher or benchmark command on a page, its continued lines joined."""
    text = page.read_text().replace("\\\n", " ").replace("`python\n", "`python ")
    found = re.findall(r"python ((?:launchers|benchmarks)/\w+\.py[^\n`]*)", text)
    return sorted({" ".join(command.split()) for command in found})


def imported(code):
    """Yields the full name of everything that a program imports of the library."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_what_pages_and_examples_import_is_public():
    """Every such name is listed by docs/make_api.py: it has a page of the API, and stays where it is."""
    lines = (ROOT / "tests" / "public_api.txt").read_text().splitlines()
    public = {re.split("[(:]", line)[0] for line in lines}
    modules = {name.rpartition(".")[0] for name in public}
    programs = [(page, block) for page in PAGES for block in python_blocks(page)]
    programs += [(path, path.read_text()) for path in sorted((ROOT / "examples").rglob("*.py"))]
    for path, code in programs:
        taken = {name for name in imported(code) if name.partition(".")[0] == "keras_sparseflow"}
        assert taken <= public | modules, f"{path.name}: {sorted(taken - public - modules)}"
    assert len(programs) > 30


ALL_COMMANDS = sorted({command for page in PAGES for command in commands(page)})


def test_the_first_page_shows_every_launcher_and_its_command():
    shown = dict(
        re.findall(r"^\| `python launchers/(\w+)\.py.*?` \| `sparseflow-([\w-]+)` \|", FIRST_PAGE, re.MULTILINE)
    )
    assert shown == {name: name.replace("_", "-") for name in LAUNCHERS}


def test_the_page_of_the_papers_has_the_command_of_every_preset_once():
    text = (ROOT / "docs" / "papers.md").read_text()
    named = re.findall(r"`(?:scsdc|wide_resnet|tost)\.py --preset=(\w+)`", text)
    assert sorted(named) == sorted(preset_names())


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_commands_have_flags_that_exist_and_take_these_values(command):
    file, *arguments = shlex.split(command)
    done = processes.run(ROOT / file, *arguments, "--only_check_args", cwd=ROOT)
    assert done.returncode == 0, done.stderr


def make_targets():
    return set(re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


@EACH_PAGE
def test_make_targets_and_links_exist(page):
    text = page.read_text()
    targets = set(re.findall(r"`make ([\w-]+)", text)) | set(re.findall(r"^    make ([\w-]+)", text, re.MULTILINE))
    assert targets <= make_targets()
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_make_help_lists_every_target():
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {line.split()[0] for line in done.stdout.splitlines()} == make_targets()


def test_every_suite_has_a_target_and_is_run():
    """`.ci/run` calls those of suites/ by the names of their folders, and others by their own."""
    suites = {f"test-{path.parent.name}" for path in (ROOT / "suites").glob("*/test_*.py")}
    targets = {name for name in make_targets() if name.startswith("test-")}
    run = (ROOT / ".ci" / "run").read_text()
    assert suites <= targets and 'make "test-$(basename "$suite")"' in run
    assert targets - suites == set(re.findall(r"^make (test-\w+)$", run, re.MULTILINE))


def test_every_public_name_has_a_changelog_entry_and_stands_in_a_page():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    pages = "".join(page.read_text() for page in PAGES if page.name not in ("CHANGELOG.md", "api.md"))
    for name in keras_sparseflow.__all__:
        if isinstance(getattr(keras_sparseflow, name), ModuleType):
            continue  # a room
        assert f"`{name}" in changelog, f"{name} has no changelog entry"
        assert name in pages or re.sub(r"\dD$", "", name) in pages, f"{name} stands in no page of docs"


def test_the_site_leads_to_every_page_and_every_example():
    named = re.findall(r"^ +- .*?([\w./]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    docs = [path.name for path in (ROOT / "docs").glob("*.md")]
    examples = [
        f"examples/{path.name}.md" for kind in ("py", "ipynb") for path in (ROOT / "examples").glob(f"*.{kind}")
    ]
    others = ["results/README.md", "examples/plugin/README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
    assert sorted(named) == sorted([*docs, *examples, *others])


API_PAGES = """
from make_api import public_items
from site_api import api_pages
directives = [line for text in api_pages().values() for line in text.splitlines() if line.startswith("::: ")]
assert len(directives) == len(public_items())
for name in ("layers.masked.MaskedDense", "masks.score_table.SCORES", "training.model.SparseModel"):
    assert f"::: keras_sparseflow.{name}" in directives
"""


def test_the_site_has_every_public_name():
    done = processes.run(f"import sys\nsys.path.insert(0, {str(ROOT / 'docs')!r})\n{API_PAGES}", cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_readme_fits_on_two_screens():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 96


def test_a_page_begins_with_what_its_reader_can_do_after_it():
    for page in (ROOT / "docs").glob("*.md"):
        assert page.read_text().split("\n")[2].startswith("After this page you can "), page.name


def test_the_version_stands_once():
    setup = (ROOT / "setup.cfg").read_text()
    assert f"version = {keras_sparseflow.__version__}" in setup
    assert f"## {keras_sparseflow.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_nothing_names_a_path_of_one_machine():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    home = re.compile(r"(?<![\w.])/(?:home|root|work|Users)/\w")
    for name in tracked:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".cfg", ".toml", "") and path.is_file() and path != Path(__file__):
            assert not home.search(path.read_text(errors="ignore")), name
    assert os.path.isdir(ROOT / "keras_sparseflow")
