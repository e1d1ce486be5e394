"""Sets of seeds: which nodes of a range they are, and whether each is a node at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.errors import DataError
from regrow.packed import Strings

__all__ = ["Seeds"]

Array = npt.NDArray[Any]


class Seeds:
    """Sets of nodes with weights: name -> {node: weight}. A node is said by its id, or by its name where that is no number."""

    def __init__(self, sets: Mapping[str, Mapping[str, float]]) -> None:
        self.sets = len(sets)
        self.entries = [(number, node, weight) for number, own in enumerate(sets.values()) for node, weight in own.items()]
        self.totals = [sum(own.values()) for own in sets.values()]

    def found(self, nodes: Mapping[str, Any]) -> tuple[Array, Array]:
        """Those that are among the nodes of a range (`id`, and `name` if there are any): (entry, row), both int64."""
        ids, names = nodes.get("id"), nodes.get("name")
        pairs: set[tuple[int, int]] = set()
        if isinstance(ids, Strings):
            pairs.update(self._by_text(ids))
        elif ids is not None and len(ids):
            pairs.update(self._by_number(np.asarray(ids)))
        if names is not None:
            pairs.update(self._by_text(names, named=not isinstance(ids, Strings)))
        ordered = np.array(sorted(pairs), np.int64).reshape(-1, 2)
        return ordered[:, 0].copy(), ordered[:, 1].copy()

    def _by_number(self, ids: Array) -> Iterable[tuple[int, int]]:
        wanted = [(entry, int(node)) for entry, (_, node, _) in enumerate(self.entries) if _is_number(node)]
        rows = np.searchsorted(ids, np.array([node for _, node in wanted], np.int64))
        for (entry, node), row in zip(wanted, rows.tolist(), strict=True):
            if row < len(ids) and ids[row] == node:
                yield entry, row

    def _by_text(self, texts: Strings, *, named: bool = False) -> Iterable[tuple[int, int]]:
        """By name; where ids are numbers, a node that is a number is meant by its id."""
        wanted: dict[str, list[int]] = {}
        for entry, (_, node, _) in enumerate(self.entries):
            if not (named and _is_number(node)):
                wanted.setdefault(node, []).append(entry)
        if wanted:
            for row, text in enumerate(texts):
                for entry in wanted.get(text, ()):
                    yield entry, row

    def shares(self, entry: Array, row: Array, rows: int) -> Array:
        """What each node of a range has of each set: float64 [rows, sets], of all ranges together 1 for each set."""
        found = np.zeros((rows, self.sets))
        for e, r in zip(entry.tolist(), row.tolist(), strict=True):
            number, _, weight = self.entries[e]
            found[r, number] += weight / self.totals[number]
        return found

    def check(self, found: Array) -> None:
        """Raise DataError unless each entry was found once. found: the entries of all ranges."""
        times = np.bincount(found, minlength=len(self.entries))
        for (_, node, _), count in zip(self.entries, times.tolist(), strict=True):
            if not count:
                advice = "name a node by its id, or by its name in the file of --names; or is it a file? there is none of that name"
                raise DataError(f'the seed "{node}" is no node of the graph', advice)
            if count > 1:
                raise DataError(f'the seed "{node}" stands for {count:,} nodes', "name it by its id")


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 19
