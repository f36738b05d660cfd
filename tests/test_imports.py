"""The house's rules that no type checker sees: who may import whom, and who may catch everything."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
PACKAGE = "modelyard"

# Each room may import from the rows above its own and from itself, never from its neighbours in the row.
FLOORS = (
    {"errors"},
    {"rules"},
    {"database", "storage"},
    {"jobs"},
    {"registry"},
    {"web", "worker"},
    {"processes", "console"},
    {"cli"},
    {"__main__"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# What a process is configured with and holds: seen where processes start, handed on as plain values from there.
STARTING = {"settings", "runtime"}
STARTERS = {"modelyard.runtime", "modelyard.cli", "modelyard.web.app", "modelyard.worker.main"}
EVERYTHING = {"Exception", "BaseException"}


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# The sample model carries code of its own, which is a model's and not ours.
PATHS = [path for path in sorted(SOURCE.rglob("*.py")) if "sample_model" not in path.parts]
MODULES = {name_of(path): ast.parse(path.read_text(), str(path)) for path in PATHS}


def imported_by(node: ast.AST) -> Iterator[str]:
    """Yield the modules of ours that the statements in `node` import."""
    for statement in ast.walk(node):
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            inside = [f"{statement.module}.{alias.name}" for alias in statement.names]
            names = [name if name in MODULES else str(statement.module) for name in inside]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == PACKAGE)


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def may_import(module: str, imported: str) -> bool:
    room, other = room_of(module), room_of(imported)
    if other in STARTING:
        return module in STARTERS or room in ("processes", "console")
    if not other or room == other or room == "runtime":
        return True
    return FLOOR_OF[other] < FLOOR_OF.get(room, 1)


@pytest.mark.parametrize(
    ("module", "imported", "allowed"),
    [
        ("modelyard.registry.tags", "modelyard.rules.tags", True),
        ("modelyard.rules.tags", "modelyard.registry.tags", False),
        ("modelyard.storage.store", "modelyard.database.tables", False),
        ("modelyard.web.app", "modelyard.worker.tasks", False),
        ("modelyard.web.app", "modelyard.settings", True),
        ("modelyard.web.identity", "modelyard.settings", False),
        ("modelyard.console.doctor", "modelyard.settings", True),
        ("modelyard.console.doctor", "modelyard.processes.logs", False),
        ("modelyard.settings", "modelyard.errors", True),
        ("modelyard.settings", "modelyard.database.engine", False),
        ("modelyard.errors", "modelyard", True),
    ],
)
def test_the_rule_knows_up_from_down(module: str, imported: str, allowed: bool) -> None:
    assert may_import(module, imported) is allowed


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(module) for module in MODULES} - STARTING - {""}

    assert rooms <= set(FLOOR_OF)
    assert {"errors", "rules", "database", "storage"} <= rooms


def test_imports_run_one_way() -> None:
    edges = [(module, imported) for module, tree in MODULES.items() for imported in imported_by(tree)]
    upward = [f"{module} imports {imported}" for module, imported in edges if not may_import(module, imported)]

    assert edges
    assert upward == []


def test_no_two_modules_need_each_other() -> None:
    graph = {module: set(imported_by(tree)) - {module} for module, tree in MODULES.items()}

    # Raises CycleError, which names the modules of the circle.
    TopologicalSorter(graph).prepare()


def test_only_the_command_line_hides_imports_in_functions() -> None:
    hidden = [
        f"{module}:{statement.lineno}"
        for module, tree in MODULES.items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in ast.walk(function)
        if isinstance(statement, ast.Import | ast.ImportFrom)
    ]

    assert [place for place in hidden if not place.startswith("modelyard.cli:")] == []


def test_only_the_runner_catches_everything() -> None:
    broad = [
        f"{module}:{handler.lineno}"
        for module, tree in MODULES.items()
        for handler in ast.walk(tree)
        if isinstance(handler, ast.ExceptHandler) and catches_everything(handler)
    ]

    assert [place for place in broad if not place.startswith("modelyard.worker.runner:")] == []


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """Whether nothing gets past `handler`; one that ends by raising it again only tidies up."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    last = handler.body[-1]
    raised_again = isinstance(last, ast.Raise) and last.exc is None
    return not raised_again and any(kind is None or ast.unparse(kind) in EVERYTHING for kind in caught)
