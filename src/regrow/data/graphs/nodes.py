"""The program that numbers the nodes of a graph: files of edges -> edges by number, and what each number stands for.

Nodes that are whole numbers keep their order; those with names are in the order of their bytes, bucket by bucket where there are very
many. So the numbers do not depend on the order of the edges, or on how the files are cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.feature_set import FeatureSet, cells_of, with_ahead
from regrow.data.clicks.set_kernels import SEED, hashes_of
from regrow.data.graphs.formats import Part, read_part, warm_parts
from regrow.data.graphs.looking import Looked
from regrow.data.graphs.node_kernels import before_each, ids_of_bits, places_in_bits, set_bits
from regrow.data.readonly import read_only
from regrow.data.vocabulary import by_count, taken
from regrow.errors import DataError
from regrow.packed import Strings, strings
from regrow.program import Data, Message, Partition, Program, Role, Roles

__all__ = ["GraphNodes", "buckets_for"]

Array = npt.NDArray[Any]
BUCKET_BYTES, BUCKETS_MAX = 1 << 26, 256
BITS_MIN, BITS_FOR_EDGE = 1 << 24, 64
"""Numbers that lie in a range of so many for each edge, or in a range of so many, are a set of bits; others a list."""
NODES_MAX = 1 << 31


def buckets_for(bytes_text: int) -> int:
    """How many parts the names of nodes have, from the size of the text alone."""
    return max(1, min(BUCKETS_MAX, bytes_text // BUCKET_BYTES))


@dataclass(frozen=True)
class GraphNodes(Program):
    """Edges -> numbers of nodes.

    files       what is known of each file (see `Looked`), and its name; numbers, declared: as in `GraphSource.graph`
    buckets     parts of nodes with names
    expand      whether a symmetric matrix is one of both directions (not needed where all edges are)

    Data: the layout "text" of `ingest`. Results:
      edges     part p: source, target uint32: numbers of nodes; weight float64 (empty: all are 1)
      nodes     id int64 or Strings: what the numbers stand for, in their order; name Strings, if a file names nodes
    Facts: nodes, lines (edges before any is left out or added).
    """

    files: Sequence[Mapping[str, Any]]
    names: Sequence[str] = field(default_factory=list)
    numbers: bool = True
    declared: int = 0
    buckets: int = 1
    expand: bool = True

    def roles(self, data: Data) -> Roles:
        """One round."""
        return Roles(
            1,
            text=Role(data["text"], data="text"),
            nodes=Role(1 if self.numbers else self.buckets, reads={"text": 0}),
            places=Role(1, reads={"text": 0, "nodes": 0}),
            edges=Role(data["text"], reads={"text": 0, "nodes": 0, "places": 0}),
        )

    def text(self, part: Partition) -> None:
        """Parse a part, and send its nodes to whoever numbers them."""
        number = int(part.fixed["source"][0])
        about = Looked.from_json(self.files[number])
        found = read_part(part.fixed, about)
        part.broadcast("places", file=number, rows=len(found))
        if self.numbers:
            more = self._send_numbers(part, found)
        else:
            more = self._send_texts(part, found)
        if found.name is None:
            part.send("edges", part.index, weight=found.weight, both=about.both and self.expand, **more)

    def _send_numbers(self, part: Partition, found: Part) -> dict[str, Any]:
        ids = found.ids.reshape(-1)
        more = {} if found.name is None else {"ids": ids, "name": found.name}
        if not len(ids):
            return {"ids": ids}
        low, high = int(ids.min()) // 64 * 64, int(ids.max())
        if high - low < max(BITS_MIN, BITS_FOR_EDGE * len(found)):
            bits = np.zeros((high - low) // 64 + 1, np.uint64)
            set_bits(read_only(ids), low, bits)
            part.send("nodes", 0, low=low, bits=bits, **more)
            return {"ids": ids}
        distinct, own = np.unique(ids, return_inverse=True)
        part.send("nodes", 0, distinct=distinct, **more)
        return {"own": own.astype(np.int32)}

    def _send_texts(self, part: Partition, found: Part) -> dict[str, Any]:
        whole, own = FeatureSet(), []
        for texts in found.texts:
            hashes = hashes_of(read_only(texts.offsets), read_only(with_ahead(texts.utf8)), np.full(len(texts), SEED, np.uint64))
            mine = _added(texts, hashes, whole)
            own.append(mine)
        value, hashes, nodes = whole.values, whole.hashes, whole.size
        bucket = ((hashes >> np.uint64(32)) * np.uint64(self.buckets)) >> np.uint64(32)
        order = np.argsort(bucket, kind="stable")
        ptr = np.searchsorted(bucket[order], np.arange(self.buckets + 1, dtype=np.uint64))
        named = found.name
        first = np.full(nodes, -1, np.int64)
        if named is not None:
            first[own[0][::-1]] = np.arange(len(named))[::-1]  # the first line that names a node counts
        for b in range(self.buckets):
            mine = order[ptr[b] : ptr[b + 1]]
            more = {} if named is None else {"name": taken(named, first[mine])}
            part.send("nodes", b, value=taken(value, mine), hash=hashes[mine], **more)
        return {"own": np.stack(own, axis=1).reshape(-1) if own else np.empty(0, np.int32), "order": order, "ptr": ptr}

    # Numbering

    def nodes(self, part: Partition) -> None:
        """Number the nodes; broadcast how many there are, and tell each part the places of its own."""
        if self.numbers:
            self._number_numbers(part)
        else:
            self._number_texts(part)

    def _number_numbers(self, part: Partition) -> None:
        inbox = list(part.inbox("text"))
        sets, lists = [m for m in inbox if "bits" in m], [m for m in inbox if "distinct" in m]
        ends = [(int(m["low"]), int(m["low"]) + 64 * len(m["bits"])) for m in sets]
        ends += [(int(m["distinct"][0]), int(m["distinct"][-1]) + 1) for m in lists] + ([(1, self.declared + 1)] if self.declared else [])
        low, high = min((a for a, _ in ends), default=0) // 64 * 64, max((b for _, b in ends), default=0)
        if high - low < max(BITS_MIN, BITS_FOR_EDGE * sum(len(m["distinct"]) for m in lists) + 8 * sum(m["bits"].nbytes for m in sets)):
            bits = self._bits(sets, lists, low, high)
            before = before_each(read_only(bits))
            ids = ids_of_bits(read_only(bits), low, int(before[-1]))
            part.broadcast("edges", low=low, bits=bits, before=before)
        else:
            known = [ids_of_bits(read_only(m["bits"]), int(m["low"]), int(before_each(read_only(m["bits"]))[-1])) for m in sets]
            ids = np.unique(np.concatenate([*known, *(m["distinct"] for m in lists)]))
            part.broadcast("edges", ids=ids)
        for message in lists:
            part.send("edges", message.sender, place=np.searchsorted(ids, message["distinct"]).astype(np.uint32))
        part.broadcast("places", nodes=len(ids))
        part.metric("nodes", len(ids))
        part.result(id=ids, **self._names(inbox, ids))

    def _bits(self, sets: Sequence[Message], lists: Sequence[Message], low: int, high: int) -> Array:
        bits = np.zeros((high - low + 63) // 64, np.uint64)
        for message in sets:
            at = (int(message["low"]) - low) // 64
            bits[at : at + len(message["bits"])] |= message["bits"]
        for message in lists:
            set_bits(read_only(message["distinct"]), low, bits)
        if self.declared:
            set_bits(read_only(np.arange(1, self.declared + 1)), low, bits)
        return bits

    def _names(self, inbox: Sequence[Message], ids: Array) -> dict[str, Strings]:
        """The name of each node, or its number where it has none; nothing, if no file names nodes."""
        named = [message for message in inbox if "name" in message]
        if not named:
            return {}
        from regrow.data.graphs.line_kernels import shown_numbers

        at = np.full(len(ids), -1, np.int64)
        places = np.searchsorted(ids, np.concatenate([message["ids"] for message in named]))
        at[places[::-1]] = np.arange(len(places))[::-1]  # the first line that names a node counts
        fallback = Strings(*shown_numbers(read_only(ids[at < 0])))
        at[at < 0] = len(places) + np.arange(np.count_nonzero(at < 0))
        return {"name": taken(Strings.concatenate([*(message["name"] for message in named), fallback]), at)}

    def _number_texts(self, part: Partition) -> None:
        whole, numbers, named = FeatureSet(), [], []
        for message in part.inbox("text"):
            mine = _added(message["value"], message["hash"], whole)
            if "name" in message:
                named.append((mine, message["name"]))
            numbers.append((message.sender, mine))
        value, nodes = whole.values, whole.size
        order = by_count(value, np.zeros(nodes, np.int64))
        rank = np.empty(nodes, np.uint32)
        rank[order] = np.arange(nodes, dtype=np.uint32)
        for sender, mine in numbers:
            part.send("edges", sender, place=rank[mine])
        part.broadcast("places", nodes=nodes)
        part.metric("nodes", nodes)
        names = {}
        if any(about["names"] for about in self.files):
            at = np.arange(nodes)
            joined, size = [value], nodes
            for mine, name in reversed(named):  # the first line that names a node counts
                at[mine] = size + np.arange(len(name))
                joined.append(name)
                size += len(name)
            names = {"name": taken(taken(Strings.concatenate(joined), at), order)}
        part.result(id=taken(value, order), **names)

    def places(self, part: Partition) -> None:
        """Where the nodes of each bucket begin; and whether the files hold what they say."""
        rows = [0] * len(self.files)
        for message in part.inbox("text"):
            rows[int(message["file"])] += int(message["rows"])
        for number, about in enumerate(self.files):
            if about["entries"] not in (0, rows[number]):
                raise DataError(
                    f"{self.names[number]}: line {about['header_lines']:,} says {about['entries']:,} edges, and there are {rows[number]:,}",
                    "fetch or write the file again",
                )
        of_edges = [number for number, about in enumerate(self.files) if not about["names"]]
        if not sum(rows[number] for number in of_edges):
            names = ", ".join(self.names[number] for number in of_edges[:5])
            raise DataError(f"{names}: there is not one edge", "a line of an edge has its source and its target, e.g. 1 2")
        bases = np.cumsum([0] + [int(message["nodes"]) for message in part.inbox("nodes")])
        if bases[-1] >= NODES_MAX:
            raise DataError(f"there are {bases[-1]:,} nodes", f"at most {NODES_MAX:,}")
        part.broadcast("edges", bases=bases)
        part.metric("lines", sum(rows[number] for number in of_edges))

    def edges(self, part: Partition) -> None:
        """Give the edges of a part the numbers of their nodes."""
        mine = next((message for message in part.inbox("text") if "weight" in message), None)
        if mine is None:  # a part of names
            empty = np.empty(0, np.uint32)
            part.result(source=empty, target=empty, weight=np.empty(0))
            return
        ends = self._placed(part, mine).reshape(-1, 2)
        source, target, weight = ends[:, 0], ends[:, 1], np.asarray(mine["weight"])
        if mine["both"]:
            other = source != target
            source, target = np.concatenate([source, target[other]]), np.concatenate([target, source[other]])
            weight = np.concatenate([weight, weight[other]]) if len(weight) else weight
        part.result(source=source, target=target, weight=weight)

    def _placed(self, part: Partition, mine: Message) -> Array:
        (places,) = part.inbox("places")
        if not self.numbers:
            own = np.empty(len(mine["order"]), np.uint32)
            for message in part.inbox("nodes"):
                a, b = mine["ptr"][message.sender], mine["ptr"][message.sender + 1]
                own[mine["order"][a:b]] = message["place"] + places["bases"][message.sender].astype(np.uint32)
            found: Array = own[mine["own"]]
            return found
        (nodes,) = part.inbox("nodes")
        if "own" in mine:
            placed: Array = np.asarray(nodes["place"])[mine["own"]]
            return placed
        ids = read_only(mine["ids"])
        if "ids" in nodes:
            return np.searchsorted(nodes["ids"], ids).astype(np.uint32)
        places_of = np.empty(len(ids), np.uint32)
        places_in_bits(ids, int(nodes["low"]), read_only(nodes["bits"]), read_only(nodes["before"]), places_of)
        return places_of

    def warm(self) -> None:
        """Compile or load the kernels."""
        warm_parts()
        one, bits = read_only(np.zeros(1, np.int64)), np.zeros(1, np.uint64)
        set_bits(one, 0, bits)
        before = before_each(read_only(bits))
        ids_of_bits(read_only(bits), 0, 1)
        places_in_bits(one, 0, read_only(bits), read_only(before), np.empty(1, np.uint32))
        if not self.numbers:
            a = strings(["a"])
            hashes = hashes_of(read_only(a.offsets), read_only(with_ahead(a.utf8)), np.full(1, SEED, np.uint64))
            _added(a, hashes, FeatureSet())


def _added(texts: Strings, hashes: Array, whole: FeatureSet) -> Array:
    """Add texts with their hashes to a set: the numbers of these (int32)."""
    return whole.number(with_ahead(texts.utf8), cells_of(hashes, texts, np.zeros(len(texts), np.int32)))
