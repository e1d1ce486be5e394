"""The program that lays examples out for training: which rounds they belong to, and which features each round touches.

    slots       turns x partitions of examples: part (t, e) has the examples of partition e in the rounds of turn t
    start       a part for each partition of weights: the fields of its features, and where an earlier run left off

A round of examples has one slot, the one after its number: in the slot before, its weights are asked for. Its features are numbered
within it, so that training meets arrays that fit into a cache and no dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.round_kernels import block_ids, distinct_ids, gaps_of, indexed, picked_rows, put_gaps
from regrow.data.clicks.schedule import MOST, schedule, slots_of
from regrow.data.readonly import read_only
from regrow.program import Data, Message, Partition, Program, Role, Roles

__all__ = ["ClickRounds", "default_partitions", "turn_of"]

Array = npt.NDArray[Any]

TURN_BYTES, TURN_MAX = 1 << 21, 16
"""A part of examples has as many rounds as go into so many bytes: it is read whole for each of them."""


def default_partitions(facts: Mapping[str, float], buckets: int) -> tuple[int, int]:
    """Partitions of examples and of weights, from the size of the data alone."""
    weights = 1
    while weights < buckets and weights * 500_000 < facts["features"]:
        weights *= 2
    return (4, weights)


@dataclass(frozen=True)
class ClickRounds(Program):
    """Examples -> slots and the start of weights.

    examples    how many there are
    turn        slots of a part of them
    partitions, weights     of the two roles of training; `weights` is a power of two, and at most the buckets of the dictionary
    seen        examples of the runs that this one goes on from

    Data: the layouts "rows", "dictionary" and "fields" of `ClickExamples`. Results:
      slots     part t x partitions + e: rows int64 [turn + 1]: where those of each of its slots begin; row_ptr int64, index uint16 or
                uint32 into the slot's ids, value float32 (or empty), label uint8, weight float32 (or empty), rarest int64, group int64
                (or empty); of its slots and the one after the last: gaps uint8 or uint16, between the places of their features in each
                partition of weights (see `gaps_of`); cuts int64 [2, turn + 1, weights + 1], where those of each partition begin: among
                features, and in gaps
      start     field int32 [rows]: of each feature of a partition of weights; sizes int64: of its parts of the dictionary; names Strings;
                zn float32 [rows, 2], if an earlier run is gone on from: its state
    Facts: turn, slots (of a pass).
    """

    examples: int
    turn: int
    partitions: int
    weights: int
    seen: int = 0

    @property
    def slots_of_pass(self) -> int:
        """Rounds of the engine."""
        return slots_of(len(schedule(self.examples, self.seen)) - 1, self.turn)

    def roles(self, data: Data) -> Roles:
        """One round."""
        return Roles(
            1,
            dictionary=Role(data["dictionary"], data="dictionary"),
            bases=Role(1, reads={"dictionary": 0}),
            names=Role(1, data="fields"),
            start=Role(self.weights, reads={"dictionary": 0, "names": 0}),
            rows=Role(data["rows"], data="rows"),
            slots=Role(self.slots_of_pass // self.turn * self.partitions, reads={"rows": 0, "bases": 0}),
        )

    def dictionary(self, part: Partition) -> None:
        """Send the fields of a bucket to its partition of weights."""
        field, weights = part.fixed["field"], part.index * self.weights // part.partitions
        part.send("start", weights, field=field, **({"zn": part.fixed["zn"]} if "zn" in part.fixed else {}))
        part.send("bases", 0, features=len(field), weights=weights)

    def bases(self, part: Partition) -> None:
        """Where the features of each partition of weights begin."""
        sizes = np.zeros(self.weights, np.int64)
        for message in part.inbox("dictionary"):
            sizes[int(message["weights"])] += int(message["features"])
        part.broadcast("slots", bases=np.cumsum(np.append(0, sizes)))
        part.metric("turn", self.turn)
        part.metric("slots", self.slots_of_pass)

    def start(self, part: Partition) -> None:
        """The features of a partition of weights."""
        mine = [message for message in part.inbox("dictionary") if "field" in message]
        fields = [message["field"] for message in mine]
        if "zn" in mine[0]:
            part.result(zn=np.concatenate([message["zn"] for message in mine]))
        (names,) = part.inbox("names")
        part.result(field=np.concatenate(fields), sizes=np.array([len(field) for field in fields]), names=names["name"])

    def names(self, part: Partition) -> None:
        """The names of the fields."""
        part.broadcast("start", name=part.fixed["name"])

    def rows(self, part: Partition) -> None:
        """Send examples to their slots: those of partition e of a round are the e-th stretch of it."""
        own = {name: read_only(part.fixed[name]) for name in ("row_ptr", "id", "value", "label", "weight", "rarest", "group")}
        first, bounds = int(part.fixed["first"][0]), schedule(self.examples, self.seen)
        end = first + len(own["label"])
        begins, ends = bounds[:-1], bounds[1:]
        plain = {"all_one": not len(own["value"]), "all_weigh_one": not len(own["weight"])}
        for e in range(self.partitions):
            starts = begins + (ends - begins) * e // self.partitions
            stops = begins + (ends - begins) * (e + 1) // self.partitions
            mine = np.flatnonzero((starts < end) & (stops > first) & (starts < stops))
            starts, stops = np.maximum(starts, first) - first, np.minimum(stops, end) - first
            for t in np.unique((mine + 1) // self.turn).tolist():
                there = mine[(mine + 1) // self.turn == t]
                row_ptr, id, value = picked_rows(own["row_ptr"], own["id"], own["value"], starts[there], stops[there])
                rows = np.concatenate([np.arange(starts[round], stops[round]) for round in there])
                more = {name: own[name][rows] if len(own[name]) else own[name] for name in ("label", "weight", "rarest", "group")}
                counts = np.zeros(self.turn, np.int64)
                counts[there + 1 - t * self.turn] = stops[there] - starts[there]
                part.send("slots", t * self.partitions + e, counts=counts, row_ptr=row_ptr, id=id, value=value, **more, **plain)
            for round in mine[(mine + 1) % self.turn == 0].tolist():  # of the slot after a turn's last only features are wanted
                a, b = own["row_ptr"][[starts[round], stops[round]]]
                part.send("slots", round // self.turn * self.partitions + e, next=distinct_ids(own["id"][a:b]))

    def slots(self, part: Partition) -> None:
        """Number the features of each slot."""
        (places,) = part.inbox("bases")
        pieces: list[list[_Piece]] = [[] for _ in range(self.turn)]
        following: list[Array] = []
        for message in part.inbox("rows"):
            following += [message["next"]] if "next" in message else []
            at = np.cumsum(np.append(0, message["counts"])) if "counts" in message else np.zeros(1, np.int64)
            for k in np.flatnonzero(np.diff(at)).tolist():
                pieces[k].append(_Piece(message, int(at[k]), int(at[k + 1])))
        part.result(**_laid_out(pieces, following, places["bases"]))

    def warm(self) -> None:
        """Compile or load the kernels."""
        row_ptr, index = read_only(np.array([0, 1])), np.empty(1, np.uint32)
        for one in (np.zeros(1, np.int32), np.zeros(1, np.int64)):
            picked_rows(row_ptr, read_only(one), read_only(np.zeros(0, np.float32)), np.zeros(1, np.int64), np.ones(1, np.int64))
            block_ids(one, index)
            distinct_ids(one)
            distinct_ids(read_only(one))
        own, ptr = np.zeros(1, np.int64), np.array([0, 1])
        gaps_of(own, ptr, 255)
        for kind in (np.uint8, np.uint16):
            put_gaps(own, ptr, 255, np.empty(1, kind))
        indexed(index, np.empty(1, np.uint16))


@dataclass(frozen=True)
class _Piece:
    """Rows start:end of a message: all or a part of a slot's."""

    message: Message
    start: int
    end: int

    def cells(self, name: str) -> Array:
        """Their features: `id` or `value`; where all values are 1, those."""
        row_ptr = self.message["row_ptr"]
        a, b = int(row_ptr[self.start]), int(row_ptr[self.end])
        if name == "value" and self.message["all_one"]:
            return np.ones(b - a, np.float32)
        found: Array = self.message[name][a:b]
        return found

    def of_rows(self, name: str) -> Array:
        """`label`, `weight` or `rarest`; where all weights are 1, those."""
        if name == "weight" and self.message["all_weigh_one"]:
            return np.ones(self.end - self.start, np.float32)
        found: Array = self.message[name][self.start : self.end]
        return found

    @property
    def sizes(self) -> Array:
        """How many features each row has."""
        return np.diff(self.message["row_ptr"][self.start : self.end + 1])


def _laid_out(slots: list[list[_Piece]], following: list[Array], bases: Array) -> Mapping[str, Any]:
    """The part of a turn; following: what the next turn's first slot has for features, of each part of the rows."""
    lists, indexes = [], []
    for pieces in slots:
        if pieces:
            id = np.concatenate([piece.cells("id") for piece in pieces])
            indexes.append(np.empty(len(id), np.uint32))
            lists.append(block_ids(id, indexes[-1]))
        else:
            lists.append(np.empty(0, np.int32))
    lists.append(distinct_ids(np.concatenate(following)) if following else np.empty(0, np.int32))
    cuts = np.array([np.searchsorted(own, bases) for own in lists])
    ids = [own - np.repeat(bases[:-1], np.diff(cut)) for own, cut in zip(lists, cuts, strict=True)]
    cuts += np.cumsum([0] + [len(own) for own in lists[:-1]])[:, None]
    mine = [piece for pieces in slots for piece in pieces]
    plain = all(piece.message["all_one"] for piece in mine), all(piece.message["all_weigh_one"] for piece in mine)
    whole: Array = np.concatenate(indexes) if indexes else np.empty(0, np.uint32)
    if max(len(own) for own in lists) <= 1 << 16:
        small = np.empty(len(whole), np.uint16)
        indexed(whole, small)
        whole = small

    def joined(arrays: list[Array], kind: Any) -> Array:
        return np.concatenate(arrays).astype(kind, copy=False) if arrays else np.empty(0, kind)

    return {
        "rows": np.cumsum([0] + [sum(piece.end - piece.start for piece in pieces) for pieces in slots]),
        "row_ptr": np.cumsum(np.append(0, joined([piece.sizes for piece in mine], np.int64))),
        "index": whole,
        "value": joined([] if plain[0] else [piece.cells("value") for piece in mine], np.float32),
        "label": joined([piece.of_rows("label") for piece in mine], np.uint8),
        "weight": joined([] if plain[1] else [piece.of_rows("weight") for piece in mine], np.float32),
        "rarest": joined([piece.of_rows("rarest") for piece in mine], np.int64),
        "group": joined([piece.of_rows("group") for piece in mine if len(piece.message["group"])], np.int64),
        **_gaps(joined(ids, np.int64), cuts),
    }


def _gaps(ids: Array, cuts: Array) -> Mapping[str, Array]:
    """Places of features, ascending from each of `cuts` on, as gaps, in as few bytes as they take; and where both begin."""
    ptr = np.append(cuts[:, :-1].ravel(), cuts[-1, -1])
    numbers = {kind: gaps_of(ids, ptr, np.iinfo(kind).max) for kind in (np.uint8, np.uint16)}
    kind = min(numbers, key=lambda kind: int(numbers[kind].sum()) * np.dtype(kind).itemsize)
    gaps = np.empty(int(numbers[kind].sum()), kind)
    put_gaps(ids, ptr, np.iinfo(kind).max, gaps)
    begins = np.cumsum(np.append(0, numbers[kind]))
    own = np.append(begins[:-1].reshape(len(cuts), -1), begins[cuts.shape[1] - 1 :: cuts.shape[1] - 1, None], axis=1)
    return {"gaps": gaps, "cuts": np.stack([cuts, own])}


def turn_of(examples: float, values: float, partitions: int) -> int:
    """How many slots a part has, from the size of the data alone: it is read whole for each of them."""
    block = MOST * (4 * values / max(examples, 1) + 17) / partitions
    return max(1, min(TURN_MAX, int(TURN_BYTES // block)))
