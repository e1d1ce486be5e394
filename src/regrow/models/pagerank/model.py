"""What training makes: a rank for each node, with what it is called; and what people ask of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.errors import DataError, UsageError
from regrow.evaluation.tail import aligned
from regrow.packed import Strings

__all__ = ["Decile", "RankModel", "deciles"]

Array = npt.NDArray[Any]
SHOWN = 10
_ARRAYS = (
    *(f"ranks.{name}" for name in ("id", "name", "rank")),
    *(f"sets.{name}" for name in ("name", "bound", "relative_bound")),
    "steps",
)


@dataclass(frozen=True)
class Decile:
    """A tenth of the nodes by their rank: where it begins and ends (places from 1), and what it has.

    nodes   int64: their numbers, by descending rank, then number; share: of all ranks; most, least: the ranks at its ends
    """

    first: int
    end: int
    nodes: Array
    share: float
    most: float
    least: float


def deciles(rank: Array) -> list[Decile]:
    """The nodes in tenths, from the highest rank to the lowest; fewer where there are fewer than ten nodes."""
    order = np.argsort(-rank, kind="stable")
    ends = [len(rank) * k // 10 for k in range(11)]
    found = []
    for a, b in itertools.pairwise(ends):
        if a < b:
            own = rank[order[a:b]]
            found.append(Decile(a + 1, b, order[a:b], float(own.sum() / rank.sum()), float(own[0]), float(own[-1])))
    return found


class RankModel:
    """A trained model: a view of its arrays, which may be memory-mapped.

    arrays      as `PageRank.model` makes them: ranks.id int64 or Strings, ranks.name Strings, ranks.rank float64 (of further sets of
                seeds: ranks.rank_2, ...); sets.name Strings; sets.bound and sets.relative_bound float64: how exact the ranks of each are;
                steps int64 [1]: the rounds that it took
    parameters  those of the program that trained it
    """

    def __init__(self, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise DataError(f"a model of ranks without {', '.join(missing)}", f"it has {', '.join(sorted(arrays))}")
        self.arrays = arrays
        self.parameters = dict(parameters)

    @property
    def sets(self) -> list[str]:
        """The names of the sets of seeds; "all" if ranks return to all nodes alike."""
        return list(self.arrays["sets.name"])

    @property
    def names(self) -> Strings:
        """What the nodes are called."""
        found: Strings = self.arrays["ranks.name"]
        return found

    @property
    def ids(self) -> Any:
        """The ids of the nodes: int64, or Strings."""
        return self.arrays["ranks.id"]

    def ranks(self, set: str | None = None) -> Array:
        """The ranks of a set of seeds, of the first one if none is named: float64 [nodes]. Raises UsageError."""
        if set is not None and set not in self.sets:
            raise UsageError(f'there is no set of seeds "{set}"', f"the sets are: {', '.join(self.sets)}")
        number = self.sets.index(set) if set is not None else 0
        found: Array = self.arrays["ranks.rank" if number == 0 else f"ranks.rank_{number + 1}"]
        return found

    def top(self, count: int = 10, set: str | None = None) -> list[tuple[str, float]]:
        """The nodes with the highest ranks, and their ranks; of equal ranks the one that comes first in the numbering."""
        rank = self.ranks(set)
        count = min(count, len(rank))
        if count < 1:
            return []
        least = np.partition(rank, len(rank) - count)[len(rank) - count]
        among = np.flatnonzero(rank >= least)
        order = among[np.argsort(-rank[among], kind="stable")][:count]
        return [(self.names[int(i)], float(rank[i])) for i in order]

    def summary(self) -> str:
        """The first nodes, the ranks by decile, and how exact they are, as lines of text."""
        rank = self.ranks()
        shown = [("node", "rank"), *((name, f"{value:.8f}") for name, value in self.top(SHOWN))]
        lines = [("places", "nodes", "share", "highest", "lowest")]
        for tenth in deciles(rank):
            places = f"{tenth.first:,}-{tenth.end:,}"
            lines.append((places, f"{len(tenth.nodes):,}", f"{100 * tenth.share:.1f} %", f"{tenth.most:.3e}", f"{tenth.least:.3e}"))
        text = f"{aligned(shown)}\n\n{aligned(lines)}\n"
        for name, bound, relative in zip(self.sets, *(self.arrays[f"sets.{b}"] for b in ("bound", "relative_bound")), strict=True):
            of = f"{name}: " if len(self.sets) > 1 else ""
            text += f"\n{of}all ranks together are exact to {bound:.1e}, each one to {_share(relative)} of itself, but for rounding"
        tolerance, wanted = self.parameters.get("tolerance"), self.parameters.get("relative")
        far = tolerance is not None and float(np.max(self.arrays["sets.bound"])) > tolerance
        if far or (wanted is not None and float(np.max(self.arrays["sets.relative_bound"])) > wanted):
            more = int(self.arrays["steps"][0]) >= self.parameters["rounds"]
            text += (
                "\nthat is not as exact as was asked for: allow more rounds" if more else "\nfloat64 gives no more: only rounding is left"
            )
        return text


def _share(relative: float) -> str:
    return f"{relative:.1e}" if np.isfinite(relative) else "no share that is known"
