"""Where the attempts of a task differ: the first arrays, and the first places in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from regrow.coordinator.plan import Task
from regrow.packed import Strings
from regrow.program import Value
from regrow.store.container import Broken, Container

__all__ = ["differences"]

SHOWN = 4


def differences(folder: Path, task: Task) -> str:
    """What is different in the files that were kept of a task, in words, a line each; "" if they cannot be compared."""
    found: list[Container] = []
    for path in sorted(folder.glob(f"{task}.by *")):
        try:
            found.append(Container(path))
        except Broken:
            continue
    lines: list[str] = []
    for one in found[1:]:
        for line in _between(found[0], one):
            if line not in lines:
                lines.append(line)
    more = f"\n  and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return "".join(f"\n  {line}" for line in lines[:SHOWN]) + more


def _between(one: Container, other: Container) -> Iterator[str]:
    if one.note.get("metrics") != other.note.get("metrics"):
        yield f"metrics: {one.note.get('metrics')} and {other.note.get('metrics')}"
    for section in sorted({*one.sections, *other.sections}):
        try:
            mine, yours = one.section(section), other.section(section)
        except Broken as broken:
            yield str(broken)
            continue
        for name in sorted({*mine, *yours}):
            if name not in mine or name not in yours:
                yield f'{_words(section)}: "{name}" is in one only'
            elif (where := _first(mine[name], yours[name])) is not None:
                yield f'{_words(section)}: "{name}" {where}'


def _first(one: Value, other: Value) -> str | None:
    """The first place in which two values differ; None if there is none."""
    if isinstance(one, Strings) or isinstance(other, Strings):
        if not (isinstance(one, Strings) and isinstance(other, Strings)) or len(one) != len(other):
            return f"has {len(one)} and {len(other)} entries"
        pairs = enumerate(zip(one, other, strict=True))
        return next((f"[{index}]: {mine!r} and {yours!r}" for index, (mine, yours) in pairs if mine != yours), None)
    if one.dtype != other.dtype or one.shape != other.shape:
        return f"is {one.dtype} {one.shape} and {other.dtype} {other.shape}"
    left, right = np.atleast_1d(one).reshape(-1), np.atleast_1d(other).reshape(-1)
    unlike = np.flatnonzero(left.view(f"V{left.itemsize}") != right.view(f"V{right.itemsize}"))
    if not len(unlike):
        return None
    index = int(unlike[0])
    place = list(map(int, np.unravel_index(index, one.shape))) if one.shape else []
    return f"{place}: {left[index]!s} and {right[index]!s} ({len(unlike):,} of {left.size:,} differ)"


def _words(section: str) -> str:
    """A section's name as a person says it."""
    kind, _, rest = section.partition("/")
    if kind == "to":
        role, _, receiver = rest.rpartition("/")
        return f"message to {role} {receiver}"
    return {"all": f"broadcast to {rest}", "change": "change of the state"}.get(kind, kind)
