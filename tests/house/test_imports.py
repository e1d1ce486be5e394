"""The house stands on floors: imports point down, never up and never in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "regrow"

FLOORS = {
    "errors": 0,
    "crash": 0,
    "collector": 0,
    "memory": 0,
    "rng": 0,
    "arithmetic": 0,
    "packed": 0,
    "program": 1,
    "columns": 2,
    "coordinator": 2,
    "traces": 1,
    "parameters": 2,
    "job": 2,
    "environment": 2,
    "store": 3,
    "simulation": 3,
    "prepared": 3,
    "story": 3,
    "data": 3,
    "far": 3,
    "evaluation": 3,
    "worker": 4,
    "engines": 5,
    "sources": 3,
    "interrupts": 6,
    "apart": 6,
    "control": 7,
    "identity": 6,
    "spec": 7,
    "summary": 7,
    "outlet": 7,
    "mirror": 7,
    "stage": 8,
    "place": 8,
    "preparing": 9,
    "running": 9,
    "checking": 10,
    "launch": 10,
    "testing": 11,
    "models": 11,
    "serving": 12,
    "cli": 13,
}
"""A room imports rooms of its own floor or below. `models` stand high because estimators start runs; what a worker loads of
them, the programs, may import only the rooms in PROGRAMS_MAY_IMPORT."""

PROGRAMS_MAY_IMPORT = {"errors", "rng", "arithmetic", "packed", "columns", "program", "data", "evaluation"}
NEVER = [("models", "engines"), ("engines", "models"), ("coordinator", "store"), ("simulation", "engines"), ("data", "store")]
COORDINATOR_MAY_IMPORT = {"errors", "program"}


def modules() -> dict[str, Path]:
    """Dotted names below `regrow` -> files."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path) -> Iterator[str]:
    """The modules below `regrow` that a file imports anywhere, also for types and within functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.removeprefix("regrow.") for name in node.names if name.name.startswith("regrow."))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "regrow":
            base = node.module.removeprefix("regrow").removeprefix(".")
            for name in node.names:
                whole = f"{base}.{name.name}".removeprefix(".")
                yield whole if whole in MODULES else base


MODULES = modules()
EDGES = {name: sorted({other for other in imports(path) if other}) for name, path in MODULES.items() if name}


def room(module: str) -> str:
    return module.split(".")[0]


@pytest.mark.parametrize("module", EDGES)
def test_imports_point_down(module: str) -> None:
    for other in EDGES[module]:
        assert room(other) in FLOORS, f"{other}: give the new room a floor in FLOORS, as low as it can stand"
        assert FLOORS[room(module)] >= FLOORS[room(other)], f"{module} imports {other}, which stands above it: move what both need down"
        assert (room(module), room(other)) not in NEVER, f"{module} must never import {other}: running.py joins the two"


def test_the_coordinator_imports_nothing_but_errors_and_program() -> None:
    for module, others in EDGES.items():
        if room(module) == "coordinator":
            foreign = {room(other) for other in others} - COORDINATOR_MAY_IMPORT - {"coordinator"}
            assert not foreign, f"{module} imports {foreign}: the coordinator decides on values, hand it what it needs"


def test_programs_of_models_know_nothing_of_runs() -> None:
    for module, others in EDGES.items():
        if room(module) == "models" and not module.endswith(("estimator", "specs", "__init__")):
            foreign = {room(other) for other in others} - PROGRAMS_MAY_IMPORT - {"models"}
            assert not foreign, f"{module} imports {foreign}: only specs.py and estimator.py may start runs"
            assert not any(other.endswith(("estimator", "specs")) for other in others), f"{module} imports an estimator"


def test_there_is_no_circle() -> None:
    left = {module: {other for other in others if other in EDGES} for module, others in EDGES.items()}
    while left:
        free = [module for module, others in left.items() if not others & left.keys()]
        assert free, f"these files import each other in a circle: {sorted(left)}"
        for module in free:
            del left[module]
