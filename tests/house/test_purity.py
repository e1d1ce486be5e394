"""Pure rooms stay pure, and nothing whose bits depend on the machine is folded into a model."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "regrow"

PURE = [
    *sorted((SOURCE / "coordinator").glob("*.py")),
    *(SOURCE / "serving" / name for name in ("hedging.py", "moves.py", "pace.py")),
    SOURCE / "program.py",
    SOURCE / "rng.py",
    SOURCE / "arithmetic.py",
]
IMPURE_MODULES = {
    "time": "take `now` as an argument",
    "datetime": "take `now` as an argument",
    "random": "draw by coordinates: regrow.rng",
    "secrets": "draw by coordinates: regrow.rng",
    "os": "return an action; an engine performs it",
    "io": "return an action; an engine performs it",
    "pathlib": "return an action; an engine performs it",
    "socket": "return an action; an engine performs it",
    "subprocess": "return an action; an engine performs it",
    "threading": "events arrive one at a time: there is nothing to lock",
    "logging": "return a Tell: the story is data",
}

FOLDED = [
    path
    for folder in ("models", "data")
    for path in sorted((SOURCE / folder).rglob("*.py"))
    if path.name not in ("estimator.py", "model.py", "ingest.py", "streams.py", "source.py")
]
UNSTABLE = {
    r"\bnp\.(exp|log|log2|log10|log1p|expm1|power|sin|cos|tanh)\b": "its bits depend on the CPU: use regrow.arithmetic",
    r"\bmath\.(exp|log|lgamma|pow|sin|cos|tanh)\b": "its bits depend on the C library: use regrow.arithmetic",
    r"\bnp\.(dot|matmul|einsum|inner|vdot|tensordot)\b|\bnp\.linalg\b|\s@\s": "BLAS changes its order with threads and CPU: write the loop",
    r"fastmath\s*=\s*True": "the compiler would reorder sums",
    r"parallel\s*=\s*True|\bprange\b": "sums would depend on the number of threads",
    r"\bnp\.random\b|\brandom\.": "draw by coordinates: regrow.rng",
    r"(?<![\w.])hash\(": "Python's hash differs from process to process: regrow.hash64",
    r"\btime\.(time|monotonic|perf_counter)\b": "no clock in a task",
}


def code_of(path: Path) -> str:
    """The source without comments and strings, so that words in prose do not count."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.unparse(tree)


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_a_pure_room_has_no_clock_no_file_no_chance(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and node.level == 0 else []
        for name in names:
            advice = IMPURE_MODULES.get(name.split(".")[0])
            assert advice is None, f"{path.name} imports {name}: {advice}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input"), f"{path.name} calls {node.func.id}: return an action instead"


@pytest.mark.parametrize("path", FOLDED, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_nothing_whose_bits_depend_on_the_machine_is_folded(path: Path) -> None:
    code = code_of(path)
    for pattern, advice in UNSTABLE.items():
        found = re.search(pattern, code)
        assert found is None, f"{path.relative_to(SOURCE)} uses {found.group().strip()!r}: {advice}"
