"""The source of a program that is a file of the user's: the file, and the modules beside it that it imports."""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["copy_sources", "source_files"]


def source_files(file: Path) -> list[Path]:
    """The file, and the modules and packages in its folder that it imports, directly or through each other."""
    folder, found, left = file.parent, [file], [file]
    while left:
        for name in _imports(left.pop()):
            for path in _beside(folder, name):
                if path not in found:
                    found.append(path)
                    left.append(path)
    return found


def copy_sources(file: Path, folder: Path) -> None:
    """Copy a program's files into a folder, so that a run does not change when they do."""
    for path in source_files(file):
        target = folder / path.relative_to(file.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _beside(folder: Path, name: str) -> list[Path]:
    """The files of a module or package of that name in a folder."""
    if (folder / name / "__init__.py").is_file():
        return sorted((folder / name).rglob("*.py"))
    return [folder / f"{name}.py"] if (folder / f"{name}.py").is_file() else []


def _imports(file: Path) -> Iterator[str]:
    """The first names of the modules that a file imports; those of the standard library are found there and left out."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return  # whoever imports the file says so
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module]
        else:
            continue
        yield from (first for name in names if (first := name.partition(".")[0]) not in sys.stdlib_module_names)
