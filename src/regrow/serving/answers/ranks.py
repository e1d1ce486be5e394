"""Ranks of nodes: the numbers of `regrow pagerank top`, and of any node by its name or id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from regrow.serving.answers import Answers, Asked, listed, only
from regrow.serving.forms import BadRequest
from regrow.serving.limits import Limits

__all__ = ["Ranks"]

TOP_MOST = 10_000


class RanksAsked(Asked):
    """The nodes of these names or ids, or so many with the highest ranks. set: a set of seeds, the first one if none is named."""

    nodes: list[str | int] | None = None
    top: Annotated[int, Meta(ge=1, le=TOP_MOST)] | None = None
    set: str | None = None


class RanksItem(msgspec.Struct, omit_defaults=True):
    """A node: its place from 1, its rank; unknown: the model has no node of this name."""

    name: str
    place: int | None = None
    rank: float | None = None
    unknown: bool = False


class Ranks(Answers):
    """A model of ranks."""

    name = "ranks"
    items = "nodes"
    asked = RanksAsked
    line = str | int
    item = RanksItem
    example: ClassVar[Mapping[str, Any]] = {"top": 3}
    outputs = (("place", "INT64", (-1,)), ("rank", "FP64", (-1,)))

    @staticmethod
    def prepare(files: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Names and ids as hash tables; of each set of seeds ranks, the order of the nodes, and their places."""
        import numpy as np

        from regrow.data.known import lexicon
        from regrow.errors import DataError
        from regrow.models.pagerank.model import RankModel
        from regrow.packed import Strings, strings

        model = RankModel(files.arrays, files.parameters)
        ids = model.ids if isinstance(model.ids, Strings) else strings(map(str, np.asarray(model.ids).tolist()))
        arrays: dict[str, Any] = {"names": model.names}
        for kind, words in (("name", model.names), ("id", ids)):
            arrays |= {f"{kind}_{name}": array for name, array in lexicon(words, strings([])).items()}
        for number, set in enumerate(model.sets):
            rank = np.asarray(model.ranks(set))
            if not np.isfinite(rank).all():
                raise DataError(f"ranks of {set} are no numbers", "train it again")
            order = np.argsort(-rank, kind="stable")
            place = np.empty(len(rank), np.int64)
            place[order] = np.arange(1, len(rank) + 1)
            arrays |= {f"rank_{number}": rank, f"order_{number}": order[:TOP_MOST].astype(np.int64), f"place_{number}": place}
        return arrays, {"sets": model.sets}

    @staticmethod
    def card(files: Any) -> dict[str, Any]:
        """Sizes, sets of seeds, how exact the ranks are, and how they are spread over tenths of the nodes."""
        from regrow.models.pagerank.model import RankModel, deciles

        model = RankModel(files.arrays, files.parameters)
        tenths = [{"first": t.first, "end": t.end, "share": t.share, "most": t.most, "least": t.least} for t in deciles(model.ranks())]
        bounds = dict(zip(model.sets, files.arrays["sets.bound"].tolist(), strict=True))
        return {"nodes": len(model.names), "sets": model.sets, "bounds": bounds, "deciles": tenths}

    @staticmethod
    def golden(files: Any) -> list[dict[str, Any]]:
        """The first nodes, some others, an unknown one; of every set."""
        names, size = files.arrays["ranks.name"], len(files.arrays["ranks.name"])
        some = [names[i] for i in range(0, size, max(1, size // 40))]
        sets = list(files.arrays["sets.name"])
        return [asked for set in sets for asked in ({"top": 20, "set": set}, {"nodes": [*some, "\u00e9 unknown"], "set": set})]

    def __init__(self, arrays: Mapping[str, Any], note: Mapping[str, Any]) -> None:
        self.arrays, self.sets = arrays, note["sets"]
        self.tables = [
            {name.removeprefix(kind): array for name, array in arrays.items() if name.startswith(f"{kind}lexicon_")}
            for kind in ("name_", "id_")
        ]

    def work(self, asked: RanksAsked, limits: Limits) -> Iterator[list[bytes]]:
        """In one piece: it is looked up."""
        if (asked.nodes is None) == (asked.top is None):
            raise BadRequest('there must be "nodes" or "top", and not both', 'e.g. {"top": 10}')
        if asked.set is not None and asked.set not in self.sets:
            raise BadRequest(f'there is no set of seeds "{asked.set[:80]}"', f"the sets are: {', '.join(self.sets)}"[:500])
        number = self.sets.index(asked.set) if asked.set is not None else 0
        if asked.top is not None:
            yield [self._line(self.arrays["names"][i], i, number) for i in self.arrays[f"order_{number}"][: asked.top].tolist()]
            return
        assert asked.nodes is not None
        if len(asked.nodes) > limits.items:
            raise BadRequest(f"{len(asked.nodes):,} nodes, and {limits.items:,} at once is the most", "send fewer, or use /v1/batch", 413)
        nodes = [str(node) for node in asked.nodes]
        yield [self._line(node, i, number) for node, i in zip(nodes, self._found(nodes), strict=True)]

    def _found(self, nodes: Sequence[str]) -> list[int]:
        """Their numbers, by name, else by id; -1 for others."""
        import numpy as np

        from regrow.data.known import names
        from regrow.packed import strings

        packed = strings(nodes)
        by_name, by_id = (names(packed, table)["numbers"] for table in self.tables)
        found: list[int] = np.where(by_name >= 0, by_name, by_id).tolist()
        return found

    def _line(self, name: str, node: int, number: int) -> bytes:
        if node < 0:
            return msgspec.json.encode(RanksItem(name, unknown=True))
        place, rank = (self.arrays[f"{what}_{number}"][node].item() for what in ("place", "rank"))
        return msgspec.json.encode(RanksItem(self.arrays["names"][node], place, rank))

    @staticmethod
    def together(lines: Sequence[Any], first: int) -> dict[str, Any]:
        """Names."""
        return {"nodes": list(lines)}

    @staticmethod
    def inputs(card: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Names or ids."""
        return [listed("nodes")]

    @staticmethod
    def of_tensors(inputs: Mapping[str, Sequence[Any]], parameters: Mapping[str, Any]) -> dict[str, Any]:
        """BYTES, or ids as numbers, in an input called "nodes"."""
        return {"nodes": only(inputs, "nodes", (str, int)), **parameters}

    @staticmethod
    def to_tensors(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Places and ranks; 0 of unknown nodes."""
        n = len(items)
        return [
            {"name": "place", "datatype": "INT64", "shape": [n], "data": [item.get("place", 0) for item in items]},
            {"name": "rank", "datatype": "FP64", "shape": [n], "data": [item.get("rank", 0.0) for item in items]},
        ]
