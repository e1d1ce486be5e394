"""The program that lays a graph out for vertex programs: nodes in ranges, and the edges of each range sorted by where they lead.

A range sends one number to each node that its edges lead to, whatever the number of edges: sums are combined before they are sent. The
nodes are the same in every round, so their list is stored once, with the receiver, and only numbers travel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.graphs.part_kernels import by_owner, count_ends, order_of_edges, runs, thinned, totals
from regrow.data.readonly import read_only
from regrow.data.vocabulary import taken
from regrow.errors import DataError
from regrow.packed import Strings
from regrow.program import Data, Message, Partition, Program, Role, Roles

__all__ = ["PARTITIONS_MAX", "GraphParts", "default_partitions"]

Array = npt.NDArray[Any]
PARTITIONS_MAX = 1024
EDGES, EDGES_OF_MANY, FEW = 1 << 20, 1 << 22, 16
"""A partition has about a million edges, and where that would make more than a few of them up to four million."""
BLOCKS = 1 << 14
"""Ranges end where one of so many blocks of nodes ends."""
NODE_COST = 3
"""What a node costs beside an edge that leads away from it."""


def default_partitions(nodes: float, edges: float) -> int:
    """How many ranges of nodes there are, from the size of the graph alone."""
    return int(max(1, min(nodes, max(min(FEW, edges // EDGES), min(PARTITIONS_MAX, edges // EDGES_OF_MANY)))))


@dataclass(frozen=True)
class GraphParts(Program):
    """Edges by number -> partitions.

    nodes, partitions   of nodes
    undirected, once, drop      each edge leads both ways; one that is there twice counts once; those from a node to itself are left out

    Data: the layouts "nodes" and "edges" of `GraphNodes`. Results:
      parts     partition p: first int64 [2]: its first node, and the end; nodes: how many there are in all; out float64 [rows]: the
                weight that leaves each node (0: it leads nowhere).
                Its edges, sorted by target, then source: cells int64 [partitions + 1]: where the targets in each partition begin,
                edge_cells int64 [partitions + 1]: where the edges that lead there begin; source uint32: from 0 on within the partition,
                with LAST on the last edge of each target; weight float64 (empty: all are 1).
                What it gets: from_ptr int64 [partitions + 1], row uint32: the nodes, from 0 on, that each partition sends to.
                id, name: of its nodes (name: if a file names nodes)
    Facts: nodes, edges (one that leads both ways is one), dangling (nodes that lead nowhere), sent (numbers that travel in a round).
    """

    nodes: int
    partitions: int
    undirected: bool = False
    once: bool = False
    drop: bool = False

    @property
    def _shift(self) -> int:
        """Blocks have 2^shift nodes."""
        shift = 0
        while (self.nodes >> shift) >= BLOCKS:
            shift += 1
        return shift

    def roles(self, data: Data) -> Roles:
        """One round."""
        ranges = {"bounds": 0}
        return Roles(
            1,
            counts=Role(data["edges"], data="edges"),
            bounds=Role(1, reads={"counts": 0}),
            edges=Role(data["edges"], data="edges", reads=ranges),
            senders=Role(self.partitions, reads={"edges": 0, **ranges}),
            sizes=Role(data["nodes"], data="nodes"),
            names=Role(data["nodes"], data="nodes", reads={"sizes": 0, **ranges}),
            parts=Role(self.partitions, reads={"senders": 0, "names": 0}),
        )

    def counts(self, part: Partition) -> None:
        """Count the edges of each block of nodes."""
        out, into = (np.zeros((self.nodes >> self._shift) + 1, np.int64) for _ in range(2))
        source, target = (read_only(part.fixed[name]) for name in ("source", "target"))
        count_ends(source, target, self.drop, self.undirected, self._shift, out, into)
        weight = np.asarray(part.fixed["weight"])
        with np.errstate(over="ignore"):
            total = float(weight.sum()) if len(weight) else float(len(source))
        part.send("bounds", 0, out=out, into=into, total=total)

    def bounds(self, part: Partition) -> None:
        """Cut the nodes into ranges of about equal cost."""
        inbox = list(part.inbox("counts"))
        out, into = (np.add.reduce([message[name] for message in inbox], axis=0) for name in ("out", "into"))
        blocks = len(out)
        sizes = np.minimum(self.nodes - (np.arange(blocks) << self._shift), 1 << self._shift)
        cost = np.cumsum(np.append(0, out + into // 4 + NODE_COST * sizes))
        if not int(np.sum(out)):
            raise DataError("there is no edge but from nodes to themselves", "keep those: --self-loops keep")
        total = sum(float(message["total"]) for message in inbox)
        if total == 0:
            raise DataError("all edges weigh 0: no rank goes along any of them", "name another --weight, or say --weight none")
        if not 2 * total < float("inf"):
            raise DataError("the weights of the edges add up to more than float64 can hold", "divide all of them by the same number")
        ends = np.searchsorted(cost, cost[-1] * np.arange(self.partitions + 1) // self.partitions)
        ends[0], ends[-1] = 0, blocks
        owner = np.repeat(np.arange(self.partitions, dtype=np.uint32), np.diff(ends))
        part.broadcast("edges", owner=owner)
        bounds = np.minimum(ends << self._shift, self.nodes)
        for role in ("senders", "names"):
            part.broadcast(role, bounds=bounds)

    def edges(self, part: Partition) -> None:
        """Send edges to the ranges of their sources."""
        (message,) = part.inbox("bounds")
        owner, fixed = read_only(message["owner"]), part.fixed
        source, target, weight = (read_only(fixed[name]) for name in ("source", "target", "weight"))
        out, into = np.zeros(len(owner), np.int64), np.zeros(len(owner), np.int64)
        count_ends(source, target, self.drop, self.undirected, self._shift, out, into)
        ptr = np.cumsum(np.append(0, np.bincount(owner, out, self.partitions).astype(np.int64)))
        u, v, w = np.empty(ptr[-1], np.uint32), np.empty(ptr[-1], np.uint32), np.empty(ptr[-1] if len(weight) else 0)
        by_owner(source, target, weight, self.drop, self.undirected, owner, self._shift, ptr[:-1].copy(), u, v, w)
        for p in range(self.partitions):
            a, b = int(ptr[p]), int(ptr[p + 1])
            if a < b:
                part.send("senders", p, u=u[a:b], v=v[a:b], w=w[a:b], plain=not len(weight))

    def senders(self, part: Partition) -> None:
        """Sort the edges of a range, and tell each range which of its nodes they lead to."""
        (message,) = part.inbox("bounds")
        bounds = message["bounds"]
        first, end = int(bounds[part.index]), int(bounds[part.index + 1])
        u, v, w = self._gathered(list(part.inbox("edges")))
        u -= np.uint32(first)
        order = order_of_edges(read_only(u), read_only(v), end - first, self.nodes)
        u, v, w = u[order], v[order], w[order] if len(w) else w
        left = thinned(u, v, w, self.once)
        u, v, w = u[:left], v[:left], w[:left] if len(w) else w
        out = totals(read_only(u), read_only(w), end - first)
        edges = int(np.count_nonzero(u + np.uint32(first) <= v)) if self.undirected else left
        targets, ptr = runs(u, read_only(v))
        cells = np.searchsorted(targets, bounds)
        for p in range(self.partitions):
            mine = targets[cells[p] : cells[p + 1]]
            more = {
                "first": bounds[part.index : part.index + 2],
                "nodes": self.nodes,
                "out": out,
                "cells": cells,
                "edge_cells": ptr[cells],
                "source": u,
                "weight": w,
            }
            part.send("parts", p, row=mine - np.uint32(bounds[p]), **(more if p == part.index else {}))
        part.metric("edges", edges)
        part.metric("sent", len(targets))
        part.metric("dangling", int(np.count_nonzero(out == 0)))

    def _gathered(self, inbox: list[Message]) -> tuple[Array, Array, Array]:
        """All edges of a range; weights are left out where all are 1."""
        if not inbox:
            return np.empty(0, np.uint32), np.empty(0, np.uint32), np.empty(0)
        u, v = (np.concatenate([message[name] for message in inbox]) for name in ("u", "v"))
        if all(message["plain"] for message in inbox):
            return u, v, np.empty(0)
        return u, v, np.concatenate([np.ones(len(message["u"])) if message["plain"] else message["w"] for message in inbox])

    def sizes(self, part: Partition) -> None:
        """Count the nodes of a bucket."""
        part.broadcast("names", nodes=len(part.fixed["id"]))
        part.metric("nodes", len(part.fixed["id"]))

    def names(self, part: Partition) -> None:
        """Send what the nodes of a bucket are called to the ranges that they are in."""
        (message,) = part.inbox("bounds")
        begin = sum(int(sizes["nodes"]) for sizes in part.inbox("sizes") if sizes.sender < part.index)
        bounds = np.clip(message["bounds"] - begin, 0, len(part.fixed["id"]))
        for p in range(self.partitions):
            a, b = int(bounds[p]), int(bounds[p + 1])
            if a < b:
                part.send("parts", p, **{name: _slice(part.fixed[name], a, b) for name in ("id", "name") if name in part.fixed})

    def parts(self, part: Partition) -> None:
        """What a partition has, gets and is called."""
        rows: list[Any] = []
        own: dict[str, Any] = {}
        called = list(part.inbox("names"))
        for sent in part.inbox("senders"):
            rows.append(sent["row"])
            own |= {name: value for name, value in sent.items() if name != "row"}
        for name in ("id", "name"):
            pieces = [message[name] for message in called if name in message]
            if pieces:
                own[name] = Strings.concatenate(pieces) if isinstance(pieces[0], Strings) else np.concatenate(pieces)
        ptr = np.cumsum([0] + [len(own_rows) for own_rows in rows])
        part.result(**own, from_ptr=ptr, row=np.concatenate(rows))

    def warm(self) -> None:
        """Compile or load the kernels."""
        one, w, none = np.zeros(1, np.uint32), np.ones(1), read_only(np.empty(0))
        owner = read_only(np.zeros(1, np.uint32))
        count_ends(read_only(one), read_only(one), False, False, 0, np.zeros(1, np.int64), np.zeros(1, np.int64))
        for weight in (read_only(w), none):
            by_owner(
                read_only(one), read_only(one), weight, False, False, owner, 0, np.zeros(1, np.int64), one.copy(), one.copy(), w.copy()
            )
        order_of_edges(read_only(one), read_only(one), 1, 1)
        thinned(one, one.copy(), w, False)
        totals(read_only(one), none, 1)
        runs(one.copy(), read_only(one))


def _slice(values: Any, a: int, b: int) -> Any:
    return taken(values, np.arange(a, b)) if isinstance(values, Strings) else np.asarray(values)[a:b]
