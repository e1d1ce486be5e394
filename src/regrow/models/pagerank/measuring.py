"""How far ranks are from others: from the exact ones, or from those of another run. By tenths of the nodes, as the tail has small ranks.

The exact ones are found by refinement: what is missing from y = d P^T y + (1 - d) v is computed in numbers of 64 bits of precision or more
(numpy's longdouble, where the machine has it), and what follows from it by the power series, in float64 (Wilkinson's iterative refinement).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.graphs.part_kernels import LAST
from regrow.data.readonly import read_only
from regrow.errors import DataError
from regrow.evaluation.tail import aligned
from regrow.models.pagerank import kernels
from regrow.models.pagerank.along import along_edges
from regrow.models.pagerank.model import RankModel, deciles
from regrow.models.pagerank.seeds import Seeds
from regrow.packed import Strings

__all__ = ["Graph", "RankReport", "compared", "exact"]

Array = npt.NDArray[Any]
Parts = Sequence[Mapping[str, Any]]
REFINEMENTS = 2
SMALLEST = 1e-19


@dataclass(frozen=True)
class RankReport:
    """Ranks beside others.

    rows        of each tenth: nodes, their share of the ranks, the mean and the largest of |rank - other| / other
    difference  the sum of |rank - other| over all nodes; largest: the largest share of itself by which a rank is off
    bound, relative_bound   what was certain of these when training ended; None: the others are not exact
    shared      of two runs: (n, how many of their first n nodes are the same)
    """

    other: str
    rows: tuple[tuple[str, int, float, float, float], ...]
    difference: float
    largest: float
    bound: float | None = None
    relative_bound: float | None = None
    shared: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def of(rank: Array, other: Array, name: str, **more: Any) -> RankReport:
        """From the ranks of the same nodes."""
        off = np.abs(rank.astype(np.longdouble) - other)
        share = np.where(other > 0, off / np.where(other > 0, other, 1), np.where(off > 0, np.inf, 0)).astype(np.float64)
        rows = []
        for tenth in deciles(np.asarray(rank, np.float64)):
            own = share[tenth.nodes]
            rows.append((f"{tenth.first:,}-{tenth.end:,}", len(own), tenth.share, float(own.mean()), float(own.max())))
        return RankReport(name, tuple(rows), float(off.sum()), float(share.max()), **more)

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        bands = [
            {"band": band, "units": nodes, "share": share, "loss": mean, "gain": None, "largest": largest}
            for band, nodes, share, mean, largest in self.rows
        ]
        found: dict[str, Any] = {"bands": bands, "nodes": sum(row[1] for row in self.rows), "against": self.other}
        found |= {"difference": self.difference, "largest_relative": _finite(self.largest)}
        if self.bound is not None and self.relative_bound is not None:
            found |= {"bound": self.bound, "relative_bound": _finite(self.relative_bound)}
        return found | ({"shared": {str(n): same for n, same in self.shared}} if self.shared else {})

    def text(self) -> str:
        """An aligned table of plain text."""
        lines = [("places", "nodes", "share", "mean off by", "most off by")]
        for band, nodes, share, mean, largest in self.rows:
            lines.append((band, f"{nodes:,}", f"{100 * share:.1f} %", f"{mean:.1e}", f"{largest:.1e}"))
        text = f"ranks against {self.other}, as a share of each\n{aligned(lines)}\n\nall together off by {self.difference:.1e}"
        if self.bound is not None and self.relative_bound is not None:
            text += (
                f" (certain when training ended: {self.bound:.1e}); the worst by {self.largest:.1e} of itself ({self.relative_bound:.1e})"
            )
        else:
            text += f"; the worst by {self.largest:.1e} of itself"
        for n, same in self.shared:
            text += f"\nof the first {n:,} nodes {same:,} are the same"
        return text


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def compared(model: RankModel, other: RankModel, set: str | None = None) -> RankReport:
    """The ranks of a model beside those of another on the same nodes. Raises DataError for other nodes."""
    same = model.ids == other.ids if isinstance(model.ids, Strings) else np.array_equal(model.ids, other.ids)
    if not same:
        raise DataError("the two runs have other nodes", "compare runs on the same nodes")
    rank, beside = model.ranks(set), other.ranks(set if set in other.sets else None)
    order, second = (np.argsort(-r, kind="stable") for r in (rank, beside))
    shared = [(n, len(np.intersect1d(order[:n], second[:n]))) for n in (10, 100, 1000, 10_000) if n <= len(rank)]
    return RankReport.of(rank, beside, "those of the other run", shared=tuple(shared))


def exact(model: RankModel, graph: Graph, set: str | None = None) -> RankReport:
    """The ranks of a model beside the exact ones of its graph."""
    number = model.sets.index(set) if set is not None else 0
    rank = model.ranks(set)
    truth = graph.solved(rank, number)
    bounds = (float(model.arrays[f"sets.{name}"][number]) for name in ("bound", "relative_bound"))
    return RankReport.of(rank, truth, "the exact ones", **dict(zip(("bound", "relative_bound"), bounds, strict=True)))


class Graph:
    """A graph laid out in parts, in memory; damping and seeds as in `PageRank`."""

    def __init__(self, parts: Parts, damping: float, seeds: Mapping[str, Mapping[str, float]]) -> None:
        self.parts, self.damping, self.seeds = parts, damping, Seeds(seeds)
        self.bounds = np.concatenate([[0], np.cumsum([len(part["out"]) for part in parts])]).tolist()

    def _v(self, number: int) -> Array:
        if not self.seeds.sets:
            return np.full(self.bounds[-1], np.longdouble(1) / self.bounds[-1])
        shares = [self.seeds.shares(*self.seeds.found(part), len(part["out"]))[:, number] for part in self.parts]
        return np.concatenate(shares).astype(np.longdouble)

    def solved(self, rank: Array, number: int) -> Array:
        """The exact ranks, from some that are near: longdouble [nodes]."""
        d, v = np.longdouble(self.damping), self._v(number)
        y = rank.astype(np.longdouble)
        y = y * ((1 - d) / (y.sum() - self._along_exactly(y).sum()))
        for _ in range(REFINEMENTS):
            missing = (1 - d) * v + self._along_exactly(y) - y
            step = np.asarray(missing, np.float64)
            while np.abs(step).sum() > SMALLEST:
                y = y + step
                step = self._along(step)
        found: Array = y / y.sum()
        return found

    def _along(self, y: Array) -> Array:
        """d P^T y in float64."""
        taken = np.zeros(len(y))
        for sender, part in enumerate(self.parts):
            sums, _ = along_edges(part, y[self.bounds[sender] : self.bounds[sender + 1]].reshape(-1, 1))
            for p, receiver in enumerate(self.parts):
                mine = read_only(sums[int(part["cells"][p]) : int(part["cells"][p + 1])].reshape(-1))
                own = taken[self.bounds[p] : self.bounds[p + 1]]
                kernels.scatter(mine, self._rows(receiver, sender), own)
        found: Array = self.damping * taken
        return found

    def _along_exactly(self, y: Array) -> Array:
        """The same in longer numbers."""
        taken = np.zeros(len(y), np.longdouble)
        for sender, part in enumerate(self.parts):
            out = np.asarray(part["out"])
            share = np.where(out > 0, y[self.bounds[sender] : self.bounds[sender + 1]] / np.where(out > 0, out, 1), np.longdouble(0))
            for p, receiver in enumerate(self.parts):
                a, b = int(part["edge_cells"][p]), int(part["edge_cells"][p + 1])
                if a == b:
                    continue
                marked = np.asarray(part["source"][a:b])
                along = share[marked & np.uint32(LAST - 1)]
                if len(part["weight"]):
                    along = along * np.asarray(part["weight"][a:b])
                begins = np.flatnonzero(np.append(True, marked[:-1] >= LAST))
                taken[self.bounds[p] + self._rows(receiver, sender).astype(np.int64)] += np.add.reduceat(along, begins)
        return np.longdouble(self.damping) * taken

    def _rows(self, receiver: Mapping[str, Any], sender: int) -> Array:
        ptr = receiver["from_ptr"]
        return read_only(receiver["row"][int(ptr[sender]) : int(ptr[sender + 1])])
