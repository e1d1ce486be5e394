"""PageRank in forty lines: vertices that send along their edges every round, which is Pregel (Malewicz and others, 2010).

    regrow run examples/pagerank.py:PageRank edges.txt          # a line: the numbers of two pages, from and to
    python examples/pagerank.py           # which module of Python's standard library do the others stand on?

`regrow pagerank train` is the one for work: names, weights, seeds, a certified end. This one is to be read.
"""

from __future__ import annotations

import re
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regrow import Data, Partition, Program, Results, Role, Roles


@dataclass(frozen=True)
class PageRank(Program):
    """Page i lives in partition i % partitions, at place i // partitions."""

    rounds: int = 60
    partitions: int = 4
    damping: float = 0.85

    def roles(self, data: Data) -> Roles:
        """Edges go to their pages once; pages talk to pages."""
        edges = Role(data.partitions, data="text", every=self.rounds)  # runs in round 0; later rounds read that again
        return Roles(self.rounds, edges=edges, pages=Role(self.partitions, reads={"edges": 0, "pages": -1}))

    def edges(self, part: Partition) -> None:
        """Send each edge to the partition of its source, and everybody the highest number."""
        pairs = np.array([line.split() for line in part.fixed.lines()], np.int64).reshape(-1, 2)
        part.broadcast("pages", last=pairs.max())
        for receiver in range(self.partitions):
            part.send("pages", receiver, pairs=pairs[pairs[:, 0] % self.partitions == receiver])

    def pages(self, part: Partition) -> None:
        """Take what the others gave, and give it on in equal shares. Where there is no edge, nothing is given: see `model`."""
        told = list(part.inbox("edges"))
        sizes = -(-(max(int(message["last"]) for message in told) + 1 - np.arange(self.partitions)) // self.partitions)
        source, target = np.concatenate([message["pairs"] for message in told]).T
        given = np.zeros(sizes[part.index])
        for message in part.inbox("pages"):  # in the order of the partitions: the sums have the same bits in every run
            given += message["given"]
        rank = 1 - self.damping + self.damping * given
        share = (rank / np.maximum(np.bincount(source // self.partitions, minlength=len(rank)), 1))[source // self.partitions]
        for receiver in range(self.partitions):  # combined before they are sent: one number for each page that may get any
            mine = target % self.partitions == receiver
            part.send("pages", receiver, given=np.bincount(target[mine] // self.partitions, share[mine], sizes[receiver]))
        part.result(rank=rank)

    def model(self, results: Results) -> Mapping[str, Any]:
        """The ranks of all pages, in order of their numbers; scaled to add up to 1, which also returns what dead ends swallowed."""
        rank = np.empty(sum(len(part["rank"]) for part in results["pages"]))
        for index, part in enumerate(results["pages"]):
            rank[index :: self.partitions] = part["rank"]
        return {"rank": rank / np.add.accumulate(rank)[-1]}

    def report(self, model: Mapping[str, Any]) -> str:
        """The ten highest."""
        best = np.argsort(-model["rank"], kind="stable")[:10]
        return "\n".join(f"{place}\tpage {page}\t{model['rank'][page]:.6f}" for place, page in enumerate(best.tolist(), 1))


def imports() -> tuple[list[str], list[str]]:
    """The modules of the standard library that import each other: their names, and a line for each edge."""
    folder = Path(sysconfig.get_path("stdlib"))
    files = {
        path.stem if path.stem != "__init__" else path.parent.name: path for path in [*folder.glob("*.py"), *folder.glob("*/__init__.py")]
    }
    names = sorted(files)
    number = {name: place for place, name in enumerate(names)}
    edges = []
    for name in names:
        text = files[name].read_text(encoding="utf-8", errors="replace")
        found = {first for first in re.findall(r"^\s*(?:import|from) +(\w+)", text, re.M) if first in number}
        edges += [f"{number[name]} {number[other]}" for other in sorted(found - {name})]
    return names, edges


def main() -> None:
    """Rank the modules of the standard library by who imports them."""
    names, edges = imports()
    print(f"{len(names):,} modules, {len(edges):,} imports")
    with tempfile.TemporaryDirectory() as folder:
        rank = run_twice(PageRank(), write_parts(folder, edges, 3)).model["rank"]
    best = np.argsort(-rank, kind="stable")[:10].tolist()
    print("by name: " + ", ".join(names[page] for page in best if page < len(names)))


if __name__ == "__main__":
    from twice import run_twice, write_parts

    main()
