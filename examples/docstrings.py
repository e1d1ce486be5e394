"""Real text that every machine has: the docstrings of its Python modules, read by `ast` and never by import.

    python examples/docstrings.py OUT.txt
    python examples/docstrings.py         # only some, to look at

One line for each documented module, class or function. Prints how many there are.
"""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

BYTES_MAX = 1_000_000
"""Larger files are generated tables."""
FILES_MAX = 6_000


def modules() -> list[Path]:
    """The Python files of the standard library and of installed packages, each once, in the order of their names."""
    places = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")}
    found = {path.resolve() for place in places for path in place.rglob("*.py") if not {"test", "tests", "idle_test"} & set(path.parts)}
    return sorted(path for path in found if path.stat().st_size <= BYTES_MAX)[:FILES_MAX]


def docstrings(path: Path) -> list[str]:
    """The docstrings of a file, each on one line; none for a file that does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError, MemoryError):
        return []
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, documented))
    return [" ".join(text.split()) for text in texts if text and len(text.split()) >= 5]


def all_docstrings(files: list[Path]) -> Iterator[str]:
    """The docstrings of all files, each text once, in the order of the files."""
    seen = set()
    with ProcessPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for texts in pool.map(docstrings, files, chunksize=40):
            for text in texts:
                if text not in seen:
                    seen.add(text)
                    yield text


def main() -> None:
    """Write them to a file; without one, show those of the first modules."""
    if len(sys.argv) < 2:
        for text in all_docstrings(modules()[:10]):
            print(text[:100])
        return
    number = 0
    with open(sys.argv[1], "w", encoding="utf-8", errors="replace") as out:
        for text in all_docstrings(modules()):
            out.write(text + "\n")
            number += 1
    print(f"{number:,} docstrings")


if __name__ == "__main__":
    main()
