"""The rooms import downwards only, and what needs no TensorFlow loads none."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "keras_sparseflow"

# From the top of the house to the ground; a room imports itself and what stands below it.
ROOMS = [
    "launchers", "analysis", "studies", "records", "diagnostics", "training", "twins", "masks", "models", "flow",
    "data", "layers", "plugins", "checks", "interruption", "registered",
]  # fmt: skip
# Rooms beside each other on a floor, where the order above would allow what the design does not.
FORBIDDEN = {
    ("analysis", "studies"),
    ("models", "data"),
    ("models", "flow"),
    ("flow", "data"),
    ("training", "records"),
    ("analysis", "diagnostics"),
    ("diagnostics", "twins"),
    ("diagnostics", "models"),
    ("diagnostics", "data"),
    ("twins", "models"),
    ("twins", "data"),
    ("masks", "models"),
    ("masks", "flow"),
    ("masks", "data"),
}
TENSORFLOW_ROOMS = {"diagnostics", "training", "data"}
# Scores that take gradients need TensorFlow, and a kernel's gradient is switched by a variable of TensorFlow's under
# that backend; the rest runs on every Keras backend, so TensorFlow is imported where it is used.
TENSORFLOW_WITHIN_FUNCTIONS = {"masks", "layers"}


def imports(path):
    """Every module that a file imports, at its top or inside a function, in full."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def imports_when_loaded(path):
    """Every module that loading a file imports, those within its functions left out."""
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    inner = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if id(node) not in inner and isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from [node.module] if isinstance(node, ast.ImportFrom) else (alias.name for alias in node.names)


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_every_room_has_its_place():
    assert {room_of(path) for path in FILES} == set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_run_down(path):
    room = room_of(path)
    below = ROOMS[ROOMS.index(room) :]
    for module in imports(path):
        if module.startswith("keras_sparseflow."):
            target = module.split(".")[1]
            assert target in below, f"{room} imports {target}, which stands above it"
            assert (room, target) not in FORBIDDEN, f"{room} imports {target}"
        if module.split(".")[0] == "tensorflow":
            assert room in TENSORFLOW_ROOMS | TENSORFLOW_WITHIN_FUNCTIONS, f"{room} imports TensorFlow"
        assert module.split(".")[0] not in ("launchers", "tests", "benchmarks")


@pytest.mark.parametrize("room", sorted(TENSORFLOW_WITHIN_FUNCTIONS))
def test_tensorflow_is_imported_where_it_is_used(room):
    for path in FILES:
        if room_of(path) == room:
            assert "tensorflow" not in {module.split(".")[0] for module in imports_when_loaded(path)}, path


def loaded_by(code):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


COUNTING = """
from keras_sparseflow.data import DataSize
from keras_sparseflow.plugins import table
from keras_sparseflow.studies.size.kernel_counts import counted_kernels
from keras_sparseflow.studies.spec.run_spec import RunSpec

counted_kernels(RunSpec.of(model="wide_resnet", density=0.1, distribution="erk"), DataSize((32, 32, 3), 10, 1, 1))
for name, depth in {"wide_resnet": 28, "resnet": 104, "vgg": 16, "mobilenet": 28, "vit": 12, "mlp": 5}.items():
    assert table("model").get(name).kernels((32, 32, 3), 10, depth, 2, fraction=0.3)
"""


# What launchers print without training, on a machine without a GPU.
TELL = """
from importlib import import_module
from keras_sparseflow.layers import backend
from keras_sparseflow.launchers.command_line import previews
backend.may_have_gpu = previews.may_have_gpu = lambda: False
try:
    import_module(f"keras_sparseflow.launchers.{sys.argv[0]}").run()
except SystemExit as end:
    assert not end.code
"""
TOLD = [
    "scsdc demo --dry_run",
    "scsdc --preset=table_5b --image_size=8 --epochs=12 --dry_run",
    "scsdc --list_presets --epochs=3",
    "wide_resnet --dry_run",
    "wide_resnet masks_mlp --scale=small --dry_run",
    "tost --preset=tost_4 --scale=small --dry_run",
    "train --model=vit --density=0.1 --dry_run",
    "train --help",
]


@pytest.mark.parametrize(
    "code",
    [
        "import keras_sparseflow",
        "import keras_sparseflow.records",
        "import keras_sparseflow.plugins",
        "import keras_sparseflow.analysis.report.writing, keras_sparseflow.analysis.figures.gallery",
        "from keras_sparseflow.studies.presets.preset_table import PRESETS; PRESETS.get('demo').choices()",
        "from keras_sparseflow.launchers import study_launcher, scsdc; import keras_sparseflow.studies.printing\n"
        "from keras_sparseflow.studies.presets.counted import PRESETS, listed_costs\n"
        "listed_costs([PRESETS.get('demo')], None)",
        *(f"import sys; sys.argv = {argv.split()}{TELL}" for argv in TOLD),
        "from keras_sparseflow.launchers import flags; flags.define_spec_flags(); flags.define_run_flags()",
        "from keras_sparseflow.data import load_images; load_images('digits')",
        COUNTING,
    ],
)
def test_no_tensorflow_where_none_is_needed(code):
    assert not loaded_by(code) & {"tensorflow", "keras", "tensorflow_datasets"}


def test_the_package_itself_loads_nothing_else():
    assert not loaded_by("import keras_sparseflow") & {"numpy", "pandas", "scipy", "matplotlib"}


def test_a_launcher_says_what_it_loads_before_pandas_and_scipy_are_loaded():
    code = "from keras_sparseflow.launchers import activation_figures, check, report, scsdc, tost, train, wide_resnet"
    assert not loaded_by(code) & {"pandas", "scipy", "matplotlib"}


def test_public_names_load_when_used_and_unknown_ones_are_refused():
    import keras_sparseflow

    for name in keras_sparseflow.__all__:
        assert getattr(keras_sparseflow, name).__name__.rpartition(".")[2] == name
    assert set(keras_sparseflow.__all__) <= set(dir(keras_sparseflow))
    assert keras_sparseflow.layers.MaskedDense is keras_sparseflow.MaskedDense, "rooms are reached as attributes too"
    with pytest.raises(AttributeError, match=r"No keras_sparseflow attribute MaskedDens$"):
        _ = keras_sparseflow.MaskedDens


def modules():
    """Every module, by its file."""
    return {path: path.relative_to(PACKAGE).with_suffix("").parts for path in FILES}


def test_folders_have_at_most_twelve_modules_and_files_at_most_400_lines():
    folders = Counter(path.parent for path in modules() if path.name != "__init__.py")
    assert max(folders.values()) <= 12, folders.most_common(1)
    assert not [str(path) for path in modules() if len(path.read_text().splitlines()) > 400]


def test_no_two_modules_have_one_name():
    names = Counter(path.name for path in modules() if path.name != "__init__.py")
    assert not [name for name, times in names.items() if times > 1]


def test_no_file_imports_itself_by_way_of_others():
    """Imports for types alone, under TYPE_CHECKING, do not count: they load nothing."""
    known = {
        ".".join(("keras_sparseflow", *parts)).removesuffix(".__init__"): path for path, parts in modules().items()
    }
    needs = {name: set(imports_that_load(path, known)) for name, path in known.items()}
    while True:  # a file that needs no other one that is left is in no circle
        free = {name for name, others in needs.items() if not others & needs.keys()}
        if not free:
            break
        needs = {name: others for name, others in needs.items() if name not in free}
    assert not needs


def imports_that_load(path, known):
    """Every known module that a file imports, without what stands under TYPE_CHECKING."""
    tree = ast.parse(path.read_text())
    checks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    for_types = {id(node) for check in checks for node in ast.walk(check)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in for_types:
            for alias in node.names:  # a module of a package, or a name in a module
                named = (f"{node.module}.{alias.name}", node.module)
                yield from [module for module in named if module in known][:1]
