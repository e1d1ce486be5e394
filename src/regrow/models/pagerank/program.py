"""PageRank as a program: a range of nodes sends one number to each node that its edges lead to, and takes in what it is sent.

    ranks       the nodes of a range: their new ranks, and the sums along their edges, combined for each target before they are sent
    bound       adds up the ranks that lead nowhere, and how far ranks can be from the exact ones: ends the run
    end         (at the end) the ranks, beside what their nodes are called

One round is x' = d P^T x + (d m + 1 - d) v: d is the damping, v the seeds (all nodes alike, if none are named), P the edges of each node
by their weights, m the sum of the ranks that lead nowhere, which return to the seeds. (Leaving m out and dividing by the sum at the end
has the same limit, but what is left out of a round is then missing from the next: on a graph of 2^18 nodes 108 rounds instead of 13.)

The certificate. Let x_0 = v, and A x = d P^T x + d m(x) v. After t rounds x_t is the sum of A^j (1 - d) v over j < t, plus A^t v, and the
exact ranks x* are the sum over all j. If |x_t+1 - x_t| <= s x_t for every node, then, as x* - x_t = sum of A^j (x_t+1 - x_t),

    |x* - x_t+1| <= s (t + 1 / (1 - d)) x*      for every node, however rare
    sum of |x* - x_t+1| <= d / (1 - d) sum of |x_t+1 - x_t|

The first holds since in the sum of A^j x_t over all j each power of A is applied to (1 - d) v at most t + 1 / (1 - d) times, in x* once.
Rounding of float64 is not in the bounds: it adds a few 1e-16 of a rank, at worst one for each edge that leads to the node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.graphs.line_kernels import shown_numbers
from regrow.data.readonly import read_only
from regrow.errors import UsageError
from regrow.models.pagerank import kernels
from regrow.models.pagerank.along import along_edges
from regrow.models.pagerank.model import RankModel
from regrow.models.pagerank.seeds import Seeds
from regrow.packed import Strings, strings
from regrow.program import Data, Partition, Program, Results, Role, Roles

__all__ = ["PageRank"]

Array = npt.NDArray[Any]

FACTS = ("change", "total", "ratio")
"""What the certificate needs of a step: the sum of |new - old|, that of new, and the largest |new - old| / old."""

STILL, SMALLER = 10, 0.98
"""Only rounding is left when the largest relative change of a rank has not become smaller than this share of itself in so many rounds."""


@dataclass(frozen=True)
class PageRank(Program):
    """PageRank.

    damping     the share of a rank that goes along edges
    tolerance   the run ends when the sum of |rank - exact rank| over all nodes is certainly not above it
    relative    and when |rank - exact rank| / exact rank of each node is certainly not above it; or has not become less for some rounds,
                which is when only rounding is left. None: no matter
    rounds      the run ends at the latest after so many
    seeds       sets of nodes to which ranks return: name -> {node: weight}; none: to all nodes alike

    Data: the layout "parts" of `GraphParts`. Metrics: bound and relative_bound, of the set where it is largest.
    """

    damping: float = 0.85
    tolerance: float = 1e-12
    relative: float | None = 1e-12
    rounds: int = 1000
    seeds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.damping < 1:
            raise UsageError(f"--damping {self.damping:g}", "a share above 0 and below 1, e.g. 0.85")
        for name, value in (("tolerance", self.tolerance), ("relative", self.relative)):
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"--{name} {value:g}", "a number above 0, e.g. 1e-9")
        if self.rounds < 1:
            raise UsageError(f"--rounds {self.rounds}", "at least one")
        for name, weights in self.seeds.items():
            if not sum(weights.values()) > 0 or not all(0 <= weight < float("inf") for weight in weights.values()):
                raise UsageError(f"the seeds {name} weigh {sum(weights.values()):g}", "weights are 0 or more, and one is above 0")

    def roles(self, data: Data) -> Roles:
        """One round more than steps: in round 0 the ranks are the seeds."""
        parts = data["parts"]
        return Roles(
            self.rounds + 1,
            ranks=Role(parts, data="parts", reads={"ranks": -1, "bound": -1}),
            bound=Role(1, reads={"ranks": 0}),
            end=Role(parts, data="parts", when="last", states=("ranks",)),
        )

    def ranks(self, part: Partition) -> None:
        """One step, and what the next one needs."""
        fixed = part.fixed
        rows, kept = len(fixed["out"]), self._seeds(part)
        v = Seeds(self.seeds).shares(**kept, rows=rows) if self.seeds else np.full((1, 1), 1.0 / int(fixed["nodes"]))
        v, sets = read_only(v), v.shape[1]
        if part.round == 0:
            x = np.ascontiguousarray(np.broadcast_to(v, (rows, sets)))
            part.send("bound", 0, found=kept.get("entry", np.empty(0, np.int64)))
        else:
            (back,) = (message["back"] for message in part.inbox("bound"))
            x, facts = self._stepped(self._taken_in(part, rows, sets), part.state["x"], v, back)
            part.send("bound", 0, **facts)
        part.keep(x=x, **kept)
        if part.round < part.rounds - 1:
            self._send(part, x)

    def _seeds(self, part: Partition) -> dict[str, Array]:
        """Which of the seeds are nodes of the range; nothing, if there are none."""
        if not self.seeds:
            return {}
        if part.round:
            return {name: np.asarray(part.state[name]) for name in ("entry", "row")}
        entry, row = Seeds(self.seeds).found(part.fixed)
        return {"entry": entry, "row": row}

    def _taken_in(self, part: Partition, rows: int, sets: int) -> Array:
        """What the range's nodes are sent, added up in the order of the ranges that send it: [rows, sets]."""
        taken, ptr, row = np.zeros((rows, sets)), part.fixed["from_ptr"], read_only(part.fixed["row"])
        for message in part.inbox("ranks"):
            mine, sums = row[ptr[message.sender] : ptr[message.sender + 1]], read_only(message["sums"])
            if sets == 1:
                kernels.scatter(read_only(sums.reshape(-1)), mine, taken.reshape(-1))
            else:
                kernels.scatter_many(sums, mine, taken)
        return taken

    def _stepped(self, taken: Array, old: Any, v: Array, back: Array) -> tuple[Array, dict[str, Array]]:
        """The new ranks of a range, and what the certificate needs of them: [sets] each."""
        x, sets = np.empty_like(taken), taken.shape[1]
        if sets == 1:
            sums, before, seeds = (read_only(values.reshape(-1)) for values in (taken, np.asarray(old), v))
            found = kernels.stepped(sums, before, seeds, self.damping, float(back[0]), x.reshape(-1))
            return x, {name: np.full(1, value) for name, value in zip(FACTS, found, strict=True)}
        facts = {name: np.zeros(sets) for name in FACTS}
        kernels.stepped_many(taken, read_only(old), v, self.damping, read_only(back), x, *facts.values())
        return x, facts

    def _send(self, part: Partition, x: Array) -> None:
        """The sums along the range's edges, to the ranges of their targets; and what leads nowhere."""
        sums, nowhere = along_edges(part.fixed, x)
        part.send("bound", 0, nowhere=nowhere)
        cells = part.fixed["cells"].tolist()
        for p in range(part.partitions):
            if cells[p] < cells[p + 1]:
                part.send("ranks", p, sums=sums[cells[p] : cells[p + 1]])

    def bound(self, part: Partition) -> None:
        """What returns to the seeds, and how far the ranks can be from the exact ones; the end, if that is near enough."""
        inbox, d = list(part.inbox("ranks")), self.damping
        if part.round < part.rounds - 1:
            part.broadcast("ranks", back=d * np.add.reduce([message["nowhere"] for message in inbox], axis=0) + (1 - d))
        if part.round == 0:
            Seeds(self.seeds).check(np.concatenate([message["found"] for message in inbox]))
            return
        change, total = (np.add.reduce([message[name] for message in inbox], axis=0) for name in ("change", "total"))
        ratio: Array = np.maximum.reduce([message["ratio"] for message in inbox])
        relative = ratio * (part.round - 1 + 1 / (1 - d))
        absolute = np.minimum(d / (1 - d) * change, relative)
        part.result(total=total, bound=absolute, relative=relative)
        least, since = self._least(part, float(np.max(ratio)))
        part.keep(least=least, since=since)
        part.metric("bound", float(np.max(absolute)))
        if np.isfinite(relative).all():
            part.metric("relative_bound", float(np.max(relative)))
        near = self.relative is None or bool(np.all(relative <= self.relative)) or (since >= STILL and np.isfinite(least))
        if near and np.all(absolute <= self.tolerance):
            part.stop()

    def _least(self, part: Partition, ratio: float) -> tuple[float, int]:
        """The least that the largest relative change of a rank came to, and how many rounds ago that was."""
        state: Mapping[str, Any] = part.state
        if part.round > 1 and ratio >= SMALLER * float(state["least"]):
            return float(state["least"]), int(state["since"]) + 1
        return ratio, 0

    def end(self, part: Partition) -> None:
        """The ranks of a range, not yet divided by their sum, which is 1 but for rounding."""
        x = next(state["x"] for index, state in enumerate(part.states("ranks")) if index == part.index)
        fixed = part.fixed
        part.result(x=x, **{name: fixed[name] for name in ("id", "name") if name in fixed})

    def model(self, results: Results) -> Mapping[str, Any]:
        """The arrays of `RankModel`."""
        (bound,) = results["bound"]
        x = results.concatenated("end", "x") / np.asarray(bound["total"])
        ids = results.concatenated("end", "id")
        if any("name" in part for part in results["end"]):
            names = results.concatenated("end", "name")
        else:
            names = ids if isinstance(ids, Strings) else Strings(*shown_numbers(read_only(ids)))
        others = {f"ranks.rank_{s + 1}": np.ascontiguousarray(x[:, s]) for s in range(1, x.shape[1])}
        return {
            "ranks.id": ids,
            "ranks.name": names,
            "ranks.rank": np.ascontiguousarray(x[:, 0]),
            **others,
            "sets.name": strings(self.seeds or ["all"]),
            "sets.bound": np.asarray(bound["bound"]),
            "sets.relative_bound": np.asarray(bound["relative"]),
            "steps": np.array([results.rounds - 1]),
        }

    def report(self, model: Mapping[str, Any]) -> str:
        """The first nodes, the ranks by decile, and how exact they are."""
        return RankModel(model, self.parameters()).summary()

    def warm(self) -> None:
        """Compile or load the kernels."""
        from regrow.models.pagerank.warming import warm

        warm(max(1, len(self.seeds)))
