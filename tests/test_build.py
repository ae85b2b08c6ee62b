"""The BUILD file names every room, launcher, benchmark, example and test, and its deps are what these import."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.test_imports import PACKAGE, ROOMS, imports, room_of

ROOT = Path(__file__).parents[1]


def targets():
    """Every target of the BUILD file as `{name: {"srcs": [...], "deps": {...}, ...}}`, its globs expanded."""

    def glob(patterns, exclude=()):
        found = {path for pattern in patterns for path in ROOT.glob(pattern)}
        left = found - {path for pattern in exclude for path in ROOT.glob(pattern)}
        return sorted(str(path.relative_to(ROOT)) for path in left)

    found = {}

    def target(name, srcs, deps=(), **other):
        assert name not in found, f"{name} stands twice"
        found[name] = {**other, "srcs": srcs, "deps": {dep.removeprefix(":") for dep in deps}}

    def nothing(*arguments, **keywords):
        """Stands for a Bazel function that makes no target."""

    rules = dict.fromkeys(("py_library", "py_binary", "py_test"), target)
    others = dict.fromkeys(("package", "licenses", "exports_files", "filegroup"), nothing)
    exec(compile((ROOT / "BUILD").read_text(), "BUILD", "exec"), {**rules, **others, "glob": glob})
    return found


def imported_rooms(paths):
    modules = {module for path in paths for module in imports(path) if module.startswith("keras_sparseflow.")}
    return {module.split(".")[1] for module in modules} & set(ROOMS)


def test_every_room_is_a_target_with_all_its_files_and_the_deps_that_it_imports():
    build = targets()
    for room in ROOMS:
        files = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py" and room_of(path) == room]
        assert build[room]["srcs"] == sorted(str(path.relative_to(ROOT)) for path in files)
        assert build[room]["deps"] == imported_rooms(files) - {room}, room
        stubs = {str(path.relative_to(ROOT)) for path in (PACKAGE / room).rglob("*.pyi")}
        assert stubs <= set(build[room].get("data", ())), "packages read their stubs when they are imported"


def test_the_package_depends_on_every_room():
    assert targets()["keras_sparseflow"]["deps"] == set(ROOMS)


def imported_neighbours(path):
    return {module.split(".")[0] for module in imports(path)} & {other.stem for other in path.parent.glob("*.py")}


def test_every_launcher_and_benchmark_is_a_target_with_the_deps_that_it_imports():
    build = targets()
    for path in [*(ROOT / "launchers").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        assert build[path.stem]["srcs"] == [str(path.relative_to(ROOT))]
        assert build[path.stem]["deps"] == imported_rooms([path]) | imported_neighbours(path), path


def test_every_example_is_a_target():
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "examples").glob("*.py")}
    assert {target["srcs"][0] for name, target in targets().items() if name.startswith("examples_")} == files


def test_every_test_file_is_a_target_that_runs_it_with_all_helpers():
    tests = {name: target for name, target in targets().items() if name.startswith(("tests_", "suites_"))}
    files = {str(path.relative_to(ROOT)) for room in ("tests", "suites") for path in (ROOT / room).rglob("*.py")}
    run = {args.removeprefix("$(location ").removesuffix(")") for (args,) in (test["args"] for test in tests.values())}
    assert run == {file for file in files if Path(file).name.startswith("test_")}
    for target in tests.values():
        assert target["main"] in target["srcs"] and set(target["srcs"]) == files


def test_a_target_of_a_test_fails_where_the_test_does(tmp_path):
    (tmp_path / "test_zero.py").write_text("def test_zero():\n    assert 0\n")
    (main,) = {target["main"] for target in targets().values() if "main" in target}
    command = [sys.executable, ROOT / main, "-pno:cacheprovider", "test_zero.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "1 failed" in done.stdout


def test_build_is_plain_starlark():
    """No statement that Starlark lacks."""
    for node in ast.walk(ast.parse((ROOT / "BUILD").read_text())):
        assert not isinstance(node, ast.Import | ast.ImportFrom | ast.ClassDef | ast.While | ast.Try | ast.JoinedStr)
