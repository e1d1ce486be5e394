"""Connected components as a program: a node is of the component of the least node that it can reach.

    labels      the nodes of a range: the least of their own label and of those that they are sent
    changed     how many labels changed: ends the run where none did

Between rounds each range settles all that its own edges can say, so there are as many rounds as a label crosses from range to range
(Blogel: Yan and others, VLDB 2014). The state changes by rows, and a range in which no label changed sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from regrow.data.graphs.line_kernels import shown_numbers
from regrow.data.readonly import read_only
from regrow.models.pagerank import component_kernels as kernels
from regrow.packed import Strings
from regrow.program import Data, Partition, Program, Results, Role, Roles

__all__ = ["Components"]

CHANGE_SHARE = 4
"""A state of which less than one row in so many changed is stored as a change."""


@dataclass(frozen=True)
class Components(Program):
    """Connected components.

    Data: the layout "parts" of `GraphParts`, of a graph whose edges lead both ways. Metrics: changed, the labels that changed in a round.
    """

    rounds: int = 100_000

    def roles(self, data: Data) -> Roles:
        """Rounds until no label changes."""
        parts = data["parts"]
        return Roles(
            self.rounds,
            labels=Role(parts, data="parts", reads={"labels": -1}),
            changed=Role(1, reads={"labels": 0}),
            end=Role(parts, data="parts", when="last", states=("labels",)),
        )

    def labels(self, part: Partition) -> None:
        """Take in labels, settle what the range's own edges say, and tell the others what changed."""
        fixed, first = part.fixed, int(part.fixed["first"][0])
        old = read_only(part.state["label"]) if part.round else read_only(np.arange(first, int(fixed["first"][1]), dtype=np.uint32))
        label, ptr, row = np.array(old), fixed["from_ptr"], read_only(fixed["row"])
        for message in part.inbox("labels"):
            kernels.lowered(read_only(message["least"]), row[ptr[message.sender] : ptr[message.sender + 1]], label)
        source, cells, edges = read_only(fixed["source"]), fixed["cells"].tolist(), fixed["edge_cells"].tolist()
        own = slice(edges[part.index], edges[part.index + 1])
        kernels.settled(source[own], row[ptr[part.index] : ptr[part.index + 1]], label)
        rows = np.flatnonzero(label != old) if part.round else np.arange(len(label))
        if not part.round or CHANGE_SHARE * len(rows) > len(label):
            part.keep(label=label)
        elif len(rows):
            part.change(rows, label=label[rows])
        part.send("changed", 0, rows=len(rows))
        for p in range(part.partitions) if len(rows) else ():
            least = np.empty(cells[p + 1] - cells[p], np.uint32)
            if p != part.index and len(least):
                kernels.least(read_only(label), source[edges[p] : edges[p + 1]], least)
                part.send("labels", p, least=least)

    def changed(self, part: Partition) -> None:
        """The end, where no label changed."""
        changed = sum(int(message["rows"]) for message in part.inbox("labels"))
        part.metric("changed", changed)
        if not changed:
            part.stop()

    def end(self, part: Partition) -> None:
        """The labels of a range."""
        label = next(state["label"] for index, state in enumerate(part.states("labels")) if index == part.index)
        part.result(label=label, **{name: part.fixed[name] for name in ("id", "name") if name in part.fixed})

    def model(self, results: Results) -> Mapping[str, Any]:
        """components.id int64 or Strings, components.name Strings, components.component int64: the place of its least node."""
        ids, label = results.concatenated("end", "id"), results.concatenated("end", "label").astype(np.int64)
        if any("name" in part for part in results["end"]):
            names = results.concatenated("end", "name")
        else:
            names = ids if isinstance(ids, Strings) else Strings(*shown_numbers(read_only(ids)))
        return {"components.id": ids, "components.name": names, "components.component": label}

    def report(self, model: Mapping[str, Any]) -> str:
        """How many components there are, and the largest."""
        least, sizes = np.unique(model["components.component"], return_counts=True)
        order = np.argsort(-sizes, kind="stable")[:10]
        names = model["components.name"]
        text = "\n".join(_sized(int(sizes[i]), names[int(least[i])]) for i in order)
        return f"{len(least):,} component{'s' if len(least) != 1 else ''}\n{text}"

    def warm(self) -> None:
        """Compile or load the kernels."""
        source, row, label = read_only(np.zeros(1, np.uint32)), read_only(np.zeros(1, np.uint32)), np.zeros(1, np.uint32)
        kernels.lowered(row, row, label)
        kernels.settled(source, row, label)
        kernels.least(read_only(label), source, np.empty(1, np.uint32))
        shown_numbers(read_only(np.zeros(1, np.int64)))


def _sized(nodes: int, name: str) -> str:
    return f"{nodes:,} nodes, among them {name}" if nodes > 1 else f"1 node: {name}"
