"""The program that prepares rows: files -> examples with numbers of features, and the dictionary. Each part is parsed once.

A feature is a value of a field. Each has a number of its own and keeps its name; the dictionary is split into buckets by the features'
64-bit hashes, within which bytes are compared: two features never share a number unless that is asked for (`hash_bits`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.example_kernels import admitted, first_of_field, numbered
from regrow.data.clicks.feature_set import FeatureSet, cells_of, with_ahead
from regrow.data.clicks.parsed import Parsed
from regrow.data.clicks.plan import Plan
from regrow.data.clicks.registry import click_format
from regrow.data.clicks.spare import give
from regrow.data.clicks.state_kernels import QUOTE
from regrow.data.clicks.warming import warm_format
from regrow.data.readonly import read_only
from regrow.data.vocabulary import taken
from regrow.errors import DataError
from regrow.packed import Strings, strings
from regrow.program import Data, Fixed, Message, Partition, Program, Role, Roles

__all__ = ["BIAS", "ClickExamples", "buckets_for", "parse"]

Array = npt.NDArray[Any]

BIAS = "(bias)"
"""The value of feature 0, which every example has; its field is called ""."""
_numbered: Any = numbered
BUCKET_BYTES = 1 << 25
BUCKETS_MAX = 256
GROUP_MIN = 1_000
"""A value of fewer rows has no calibration of its own."""
REPORTED_MAX = 20
"""Broken rows of a part that are reported one by one."""


def buckets_for(bytes_text: int) -> int:
    """How many parts the dictionary has, from the size of the text alone: a power of two, so that parts are ranges of hashes."""
    buckets = 1
    while buckets < BUCKETS_MAX and buckets * BUCKET_BYTES < bytes_text:
        buckets *= 2
    return buckets


def parse(part: Fixed, format: str, plan: Plan, *, needs_label: bool = True, skip: bool = False) -> Parsed:
    """The rows of a part of the layout "text". Raises DataError, with file and line, for a row that is broken and not to be skipped; always
    for a quote that is never closed and takes other lines along: those would be left out too."""
    parsed = click_format(format).rows(part, plan, needs_label=needs_label, skip=skip)
    for bad in parsed.broken:
        if not skip or (bad.kind == QUOTE and bad.about):
            raise bad.error(part["file"][0])
    return parsed


@dataclass(frozen=True)
class ClickExamples(Program):
    """Rows -> examples and the dictionary.

    format, plan    as in `ClickSource`
    skip        leave out rows that are broken, and report them
    buckets     parts of the dictionary: a power of two, from the size of the text
    min_count, admit, hash_bits     as in `ClickOptions`
    calibrate   the field whose frequent values get calibrations of their own; "": one for all rows; None: none
    continued   whether there are features of an earlier run: the layout "known", one part, the arrays of its model

    Data: the layout "text" of `ingest`, of which part p becomes part p of
      rows          first int64 [1]: how many examples come before; row_ptr int64 [N + 1], id: numbers of features, int32, or int64 where
                    there are more; value float32 (empty: all are 1), label uint8, weight float32 (empty: all are 1), rarest int64: the
                    least training count among the example's features, feature 0 left out; group int64 (empty without calibration): its
                    feature of that field, 0 where it is not frequent
      dictionary    of each bucket: value Strings, field int32, hash uint64, count int64: its features by descending count, then
                    hash. Features have numbers through all buckets; feature 0 is the bias. If it is continued, zn float32
                    [features, 2]: the state of each; known features are kept, and their counts are those of both
      fields        one part: name Strings; and of the rows that were left out: file Strings, line int64, why Strings
    Metrics: examples, clicks, features, values (features of examples), missing, bad_rows, left_out, dropped_features.
    """

    format: str
    plan: Mapping[str, Any]
    skip: bool = False
    buckets: int = 1
    min_count: int = 1
    admit: float | None = None
    hash_bits: int = 0
    continued: bool = False
    calibrate: str | None = None

    def roles(self, data: Data) -> Roles:
        """One round."""
        parts = data["text"]
        known, start = ({"known": Role(1, data="known")}, {"known": 0}) if self.continued else ({}, {})
        return Roles(
            1,
            **known,
            text=Role(parts, data="text"),
            fields=Role(1, reads={"text": 0, **start}),
            dictionary=Role(self.buckets, reads={"text": 0, "fields": 0, **start}),
            places=Role(1, reads={"text": 0, "dictionary": 0}),
            rows=Role(parts, reads={"text": 0, "dictionary": 0, "places": 0}),
        )

    def text(self, part: Partition) -> None:
        """Parse a part, and send its features to their buckets."""
        found = parse(part.fixed, self.format, Plan.from_json(self.plan), skip=self.skip)
        order, ptr = _by_bucket(found.hash, self.buckets)
        value = taken(found.value_of, order)
        numbers = {"field": found.field, "counts": found.counts, "sizes": np.diff(found.value_of.offsets)}
        arrays = {"hash": found.hash[order]} | {name: _small(array)[order] for name, array in numbers.items()}
        for bucket, (a, b) in enumerate(itertools.pairwise(ptr.tolist())):
            utf8 = value.utf8[value.offsets[a] : value.offsets[b]]
            part.send("dictionary", bucket, utf8=utf8, **{name: array[a:b] for name, array in arrays.items()})
        first = [f"{part.fixed['file'][0]}, {bad.unit} {bad.line:,}: {bad.why()}" for bad in found.broken[:1]]
        clicks = int(found.label.sum())
        part.broadcast("places", examples=len(found.label), clicks=clicks, bad=len(found.broken), first=strings(first))
        part.broadcast("dictionary", examples=len(found.label))
        told = found.broken[:REPORTED_MAX]
        file = part.fixed["file"][0]
        part.send(
            "fields", 0, names=strings(found.names), line=np.array([bad.line for bad in told], np.int64),
            file=strings([file] * len(told)), why=strings([bad.why() for bad in told]),
        )  # fmt: skip
        plain = bool(np.all(found.value == 1)), bool(np.all(found.weight == 1))
        part.send(
            "rows", part.index, row_ptr=found.row_ptr, feature=found.feature, value=found.value[: 0 if plain[0] else None],
            group=self._groups(found), label=found.label, weight=found.weight[: 0 if plain[1] else None], order=order,
        )  # fmt: skip
        facts = {"examples": len(found.label), "clicks": clicks, "missing": found.missing}
        for name, number in (facts | {"bad_rows": len(found.broken), "left_out": found.left_out}).items():
            part.metric(name, number)

    def _groups(self, found: Parsed) -> Array:
        """The part's own number of each row's feature of the calibrated field, -1 where it has none (int32); empty without calibration."""
        if self.calibrate is None:
            return np.empty(0, np.int32)
        own = found.names.index(self.calibrate) if self.calibrate and self.calibrate in found.names else -1
        groups: Array = first_of_field(found.row_ptr, found.feature, found.field, own)
        return groups

    def known(self, part: Partition) -> None:
        """Send the features of an earlier run to their buckets."""
        fixed = part.fixed
        arrays = {name: fixed[f"features.{name}"] for name in ("hash", "field", "count", "z", "n")}
        if self.hash_bits:
            size = (1 << self.hash_bits) // self.buckets
            chosen = [np.arange(1 + size * bucket, 1 + size * (bucket + 1)) for bucket in range(self.buckets)]
        else:
            order, ptr = _by_bucket(np.asarray(arrays["hash"]), self.buckets)
            chosen = [order[a:b] for a, b in itertools.pairwise(ptr.tolist())]
            chosen = [mine[mine > 0] for mine in chosen]
        for bucket, mine in enumerate(chosen):
            taken_ones = {name: np.asarray(array)[mine] for name, array in arrays.items()}
            part.send("dictionary", bucket, value=taken(fixed["features.value"], mine), **taken_ones)
        bias = {name: np.asarray(array)[0] for name, array in arrays.items()}
        part.broadcast("dictionary", bias_count=bias["count"], bias_zn=np.array([bias["z"], bias["n"]], np.float32))
        part.send("fields", 0, names=fixed["fields.name"])

    def fields(self, part: Partition) -> None:
        """Number the fields: those of an earlier run as there, then in the order in which the parts have them."""
        names: dict[str, int] = {"": 0}
        for message in part.inbox("known") if self.continued else ():
            names = {name: number for number, name in enumerate(message["names"])}
        reported: list[Message] = []
        for message in part.inbox("text"):
            for name in message["names"]:
                names.setdefault(name, len(names))
            reported.append(message)
        part.broadcast("dictionary", **{f"part{m.sender}": np.array([names[name] for name in m["names"]], np.int32) for m in reported})
        part.result(
            name=strings(names), file=Strings.concatenate([m["file"] for m in reported]),
            line=np.concatenate([m["line"] for m in reported]), why=Strings.concatenate([m["why"] for m in reported]),
        )  # fmt: skip
        part.metric("fields", len(names))

    def dictionary(self, part: Partition) -> None:
        """Add up the features of a bucket, and number them."""
        (fields,) = part.inbox("fields")
        whole, numbers, examples = FeatureSet(), [], 0
        if part.index == 0:  # the bias has the first place whatever comes
            _merged(_bias(), np.zeros(1, np.int32), whole)
        known = next(part.inbox("known")) if self.continued else None
        if known is not None and part.index == 0:
            examples += int(known["bias_count"])
        if known is not None and not self.hash_bits:
            more = {"hash": known["hash"], "value": known["value"], "counts": known["count"]}
            _merged(more, known["field"], whole)
        for message in part.inbox("text"):
            field = fields[f"part{message.sender}"][message["field"]]
            value = Strings(np.cumsum(np.append(0, message["sizes"])), message["utf8"])
            own = {"hash": message["hash"], "value": value, "counts": message["counts"]}
            numbers.append((message.sender, _merged(own, field, whole)))
            examples += int(message["examples"])
        found = _Bucket.of(whole, examples if part.index == 0 else None)
        if known is not None:
            found.start(known, self.hash_bits)
        rank = found.hashed(self.hash_bits, self.buckets, part.index) if self.hash_bits else found.ordered(self.min_count, self.admit)
        for sender, mine in numbers:
            part.send("rows", sender, rank=rank[mine], count=_small(found.count[mine]))
        part.broadcast("places", features=len(found.kept))
        part.result(**found.results(self.hash_bits))
        part.metric("features", len(found.kept))
        part.metric("dropped_features", 0 if self.hash_bits else whole.size - len(found.kept))

    def places(self, part: Partition) -> None:
        """Where the features of each bucket begin, and the examples of each part."""
        bases = np.cumsum([0] + [int(message["features"]) for message in part.inbox("dictionary")])
        texts = list(part.inbox("text"))
        first = np.cumsum([0] + [int(message["examples"]) for message in texts])
        if first[-1] == 0:
            raise _no_example(texts)
        if bases[-1] <= 1 and self.min_count > 1:
            raise DataError(f"no feature is left: none is in {self.min_count:,} rows", "lower --min-count; 1 keeps every feature")
        positive = Plan.from_json(self.plan).positive
        if positive and not self.continued and not sum(int(message["clicks"]) for message in texts):
            raise DataError(
                f'no label is "{positive}": all {first[-1]:,} are taken for 0', "say which value means 1: --label COLUMN=VALUE, or =VALUE"
            )
        part.broadcast("rows", bases=bases, first=first)

    def rows(self, part: Partition) -> None:
        """Give the features of examples their numbers."""
        (mine,) = (message for message in part.inbox("text") if "row_ptr" in message)
        (places,) = part.inbox("places")
        order, bases = mine["order"], places["bases"].tolist()
        id, count = np.empty(len(order), _kind_for(bases[-1])), np.empty(len(order), np.int64)
        ranks, counts = [], []
        for message in part.inbox("dictionary"):
            rank = message["rank"].astype(id.dtype)
            ranks.append(np.where(rank >= 0, rank + bases[message.sender], -1))
            counts.append(message["count"])
        id[order], count[order] = np.concatenate(ranks), np.concatenate(counts)
        arrays = [read_only(mine[name]) for name in ("row_ptr", "feature", "value")]
        row_ptr, ids, value, rarest = _numbered(*arrays, read_only(id), read_only(count))
        first = places["first"][part.index : part.index + 1]
        own = mine["group"]
        frequent = (own >= 0) & (np.append(count, 0)[own] >= GROUP_MIN)
        group = np.where(frequent, np.append(id, 0)[own], 0)
        part.result(
            first=first, row_ptr=row_ptr, id=ids, value=value, label=mine["label"], weight=mine["weight"], rarest=rarest, group=group
        )
        part.metric("values", len(ids))

    def warm(self) -> None:
        """Compile or load the kernels."""
        _merged(_bias(), np.zeros(1, np.int32), FeatureSet())
        admitted(np.zeros(1, np.uint64), np.ones(1, np.int64), 0.5)
        one = [read_only(np.array(array, kind)) for array, kind in (([0, 1], np.int64), ([0], np.int32), ([1], np.float32))]
        for kind in (np.int32, np.int64):
            _numbered(*one, read_only(np.zeros(1, kind)), read_only(np.zeros(1, np.int64)))
        warm_format(self.format)


def _kind_for(features: int) -> Any:
    """The type of the numbers of so many features: they are most of what is written, and read again."""
    return np.int32 if features <= np.iinfo(np.int32).max else np.int64


def _small(array: Array) -> Array:
    """Numbers from 0 on as the smallest type that holds them: what parts and dictionary tell each other is most of what is written."""
    kind = np.min_scalar_type(int(array.max(initial=0)))
    return array.astype(kind)


def _no_example(texts: Sequence[Message]) -> DataError:
    """The error for an input of which no row is left, with the first that is broken."""
    bad, told = sum(int(message["bad"]) for message in texts), [first for message in texts for first in message["first"]]
    if not bad:
        return DataError("there is not one example in the input", "check --format, --since and --until")
    rows = f"{bad:,} broken row{'s' if bad > 1 else ''} left out, the first: {told[0]}"
    return DataError(f"there is not one example in the input: {rows}", "check --format and --label, and what the columns are said to be")


def _by_bucket(hashes: Array, buckets: int) -> tuple[Array, Array]:
    """The features in the order of their buckets (int32), and where each bucket begins (int64 [buckets + 1])."""
    bucket = (((hashes >> np.uint64(32)) * np.uint64(buckets)) >> np.uint64(32)).astype(np.uint8)  # bytes are sorted by counting
    order = np.argsort(bucket, kind="stable").astype(np.int32)
    return order, np.searchsorted(bucket[order], np.arange(buckets + 1))


def _bias() -> Mapping[str, Any]:
    return {"hash": np.zeros(1, np.uint64), "value": strings([BIAS]), "counts": np.zeros(1, np.int64)}


def _merged(message: Mapping[str, Any], field: Array, whole: FeatureSet) -> Array:
    """Add the features of a message to a set: the numbers of the message's."""
    value = message["value"]
    text = with_ahead(value.utf8)
    numbers = whole.number(text, cells_of(message["hash"], value, field))
    give("text", text)
    whole.add(numbers, message["counts"])
    return numbers


@dataclass
class _Bucket:
    """The features of a bucket as they came, and which are kept, in their order."""

    hash: Array
    field: Array
    value: Strings
    count: Array
    kept: Array
    fixed: int
    slots: Array
    zn: Array | None = None
    known: int = 0

    @staticmethod
    def of(whole: FeatureSet, examples: int | None) -> _Bucket:
        """From a set; examples: the count of the bias, where it is the first feature."""
        counts = whole.counts
        if examples is not None:
            counts[0] = examples
        return _Bucket(whole.hashes, whole.fields, whole.values, counts, np.empty(0, np.int64), int(examples is not None), counts)

    def start(self, message: Mapping[str, Any], bits: int) -> None:
        """Take over the state of an earlier run's features, which came first, behind the bias."""
        zn = np.stack([message["z"], message["n"]], axis=1)
        zn = np.concatenate([message["bias_zn"].reshape(1, 2)[: self.fixed], zn]).astype(np.float32)
        self.known = 0 if bits else len(zn)
        self.zn = zn if bits else np.concatenate([zn, np.zeros((len(self.count) - len(zn), 2), np.float32)])
        self.slots = np.concatenate([np.zeros(self.fixed, np.int64), message["count"]]) if bits else self.slots

    def ordered(self, min_count: int, admit: float | None) -> Array:
        """Keep those that are let in, by descending count and then hash, behind the bias: the place of each or -1 (int32)."""
        let_in = self.count >= min_count
        if admit is not None:
            let_in &= admitted(read_only(self.hash), read_only(self.count), admit)
        let_in[: self.known] = True
        let_in &= self.count > 0  # rows that were skipped may have had others
        order = np.lexsort((self.hash, -self.count))
        order = order[let_in[order] & (order >= self.fixed)]
        self.kept = np.concatenate([np.arange(self.fixed), order])
        rank = np.full(len(self.count), -1, np.int32)
        rank[self.kept] = np.arange(len(self.kept))
        return rank

    def hashed(self, bits: int, buckets: int, index: int) -> Array:
        """Let features share places by the first bits of their hashes: the place of each (int32)."""
        size = (1 << bits) // buckets
        slot = (self.hash >> np.uint64(64 - bits)).astype(np.int64) - size * index + self.fixed
        slot[: self.fixed] = 0
        counts = self.slots.copy() if self.zn is not None else np.zeros(size + self.fixed, np.int64)
        np.add.at(counts, slot, self.count)
        self.count, self.kept = counts[slot], np.arange(size + self.fixed)
        self.slots = counts
        return slot.astype(np.int32)

    def results(self, bits: int) -> dict[str, Any]:
        """The layout "dictionary"."""
        if not bits:
            k = self.kept
            more = {} if self.zn is None else {"zn": self.zn[k]}
            return {**more, "value": taken(self.value, k), "field": self.field[k], "hash": self.hash[k], "count": self.count[k]}
        names = [BIAS] * self.fixed + [f"#{number}" for number in range(len(self.kept) - self.fixed)]
        zeros = np.zeros(len(names), np.int32)
        more = {} if self.zn is None else {"zn": self.zn}
        return {**more, "value": strings(names), "field": zeros, "hash": zeros.astype(np.uint64), "count": self.slots}
