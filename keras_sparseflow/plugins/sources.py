"""What a reference "module:attribute" says of itself, read from the source of its module without importing it."""

import ast
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_REFERENCE = re.compile(r"^\s*(?P<module>[A-Za-z_]\w*(\.\w+)*)\s*(:\s*(?P<attribute>\w+(\.\w+)*))?\s*(\[.*\])?\s*$")
_LONGEST_TRAIL = 6
"""Modules through which an attribute is followed that one imports from the next."""


def help_of(item: Any) -> str:
    """Returns what an object or a reference says of itself in one sentence; empty if that can't be found.

    Of an object that is the attribute `help` or `title`, else the docstring of a function or class. A reference is
    looked up in the source of its module, where a constant may have a docstring below it, or `help=` or `title=` in
    the call that makes it.

    Example:
        >>> help_of("json:dumps")
        'Serialize ``obj`` to a JSON formatted ``str``'
    """
    if isinstance(item, str):
        match = _REFERENCE.match(item)
        return _sentence(_help(match["module"], match["attribute"] or "")) if match else ""
    for name in ("help", "title"):
        if isinstance(found := getattr(item, name, None), str):
            return _sentence(found)
    documented = inspect.isroutine(item) or inspect.isclass(item)
    return _sentence(inspect.getdoc(item) or "") if documented else ""


def problem_of(item: Any) -> str:
    """Returns why a reference can't be loaded, as far as the files tell; empty if they tell nothing against it."""
    if not isinstance(item, str):
        return ""
    match = _REFERENCE.match(item)
    if not match:
        return f"expected a reference such as my_package.scores:my_score; received {item!r}"
    module, attribute = match["module"], match["attribute"] or ""
    if not _exists(module):
        return f"there is no module {module!r}"
    path = _file_of(module)
    if path is None:
        return ""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        return f"{module} is no Python: {path.name}, line {error.lineno}: {error.msg}"
    first = attribute.partition(".")[0]
    return f"{module} has no {first!r}" if first and not _may_have(tree, module, first) else ""


def source_of(reference: str) -> str:
    """Returns the source of the module of a reference; empty where there is none."""
    match = _REFERENCE.match(reference)
    path = _file_of(match["module"]) if match else None
    return "" if path is None else path.read_text(encoding="utf-8", errors="replace")


def _help(module: str, name: str, trail: int = _LONGEST_TRAIL) -> str:
    """Returns the docstring of what a module has under a name, or of the module where the name is empty."""
    tree = _tree_of(module) if trail else None
    if tree is None:
        return ""
    if not name:
        return ast.get_docstring(tree) or ""
    statements = list(_statements(tree))
    pairs = zip(statements, [*statements[1:], None], strict=True)
    return next(filter(None, (_said(name, statement, after, module, trail) for statement, after in pairs)), "")


def _said(name: str, statement: ast.stmt, after: ast.stmt | None, module: str, trail: int) -> str:
    """Returns the docstring of a name where this statement of a module binds it; `after` is the next statement."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and statement.name == name:
        return ast.get_docstring(statement) or ""
    if isinstance(statement, ast.ImportFrom):
        imported = {alias.asname or alias.name: alias.name for alias in statement.names}
        return _help(_absolute(statement, module), imported[name], trail - 1) if name in imported else ""
    if name in _assigned(statement):
        return _constant(statement, after) or _renamed(statement, module, trail)
    return ""


def _constant(statement: ast.stmt, after: ast.stmt | None) -> str:
    """Returns the docstring below an assignment, or `help=` or `title=` of the call whose value is assigned."""
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
        return after.value.value
    call = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    if isinstance(call, ast.Call):
        for keyword in call.keywords:
            value = keyword.value
            if keyword.arg in ("help", "title") and isinstance(value, ast.Constant) and isinstance(value.value, str):
                return value.value
    return ""


def _renamed(statement: ast.stmt, module: str, trail: int) -> str:
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    return _help(module, value.id, trail - 1) if isinstance(value, ast.Name) else ""


def _may_have(tree: ast.Module, module: str, name: str) -> bool:
    """Returns whether a module binds a name, or makes names in a way that its source does not show."""
    for statement in _statements(tree):
        named = getattr(statement, "name", None)
        if named in (name, "__getattr__") or {name, "__getattr__"} & _assigned(statement):
            return True
        if isinstance(statement, ast.Import | ast.ImportFrom):
            bound = {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
            if bound & {name, "*"}:
                return True
    text = ast.dump(tree)
    return "globals" in text or "setattr" in text or _exists(f"{module}.{name}")


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yields the statements of a module in their order, with those within its ifs, tries and withs."""
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        statement = waiting.pop(0)
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            parts = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
            parts += [handler.body for handler in getattr(statement, "handlers", [])]
            waiting = [inner for part in parts for inner in part] + waiting


def _assigned(statement: ast.stmt) -> set[str]:
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return set()
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def _absolute(statement: ast.ImportFrom, module: str) -> str:
    """Returns the module that a `from` statement of a module names, one with dots too."""
    if not statement.level:
        return statement.module or ""
    path = _file_of(module)
    package = module.split(".")[: None if path is not None and path.name == "__init__.py" else -1]
    above = package[: len(package) - statement.level + 1]
    return ".".join([*above, *([statement.module] if statement.module else [])])


def _tree_of(module: str) -> ast.Module | None:
    """Returns the source of a module, parsed; None where there is none, or it is no Python."""
    path = _file_of(module)
    try:
        return None if path is None else ast.parse(path.read_bytes())
    except SyntaxError:  # `problem_of` says so
        return None


def _exists(module: str) -> bool:
    top, *below = module.split(".")
    spec = _found(top)
    if spec is None or not below:
        return spec is not None
    places = [Path(location, *below) for location in spec.submodule_search_locations or ()]
    return any(place.is_dir() or any(place.parent.glob(f"{place.name}.*")) for place in places)


def _file_of(module: str) -> Path | None:
    """Returns the source of a module; None where there is none, as of one that is compiled."""
    top, *below = module.split(".")
    spec = _found(top)
    if spec is None:
        return None
    if not below:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") and spec.has_location else None
    for location in spec.submodule_search_locations or ():
        place = Path(location, *below)
        for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if path.is_file():
                return path
    return None


def _found(top: str) -> Any:
    """Returns where a module without dots is; Python finds those without importing anything."""
    try:
        return importlib.util.find_spec(top)
    except ValueError:  # it is loaded, and does not say from where
        return None


def _sentence(text: str) -> str:
    """Returns the first sentence of a docstring, in a line, without its full stop."""
    paragraph = " ".join(inspect.cleandoc(text).split("\n\n")[0].split())
    return re.split(r"(?<=[^.\s]{2}[.])\s+(?=[A-Z`])", paragraph)[0].rstrip(".")
