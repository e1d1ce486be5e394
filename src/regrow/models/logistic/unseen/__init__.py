"""Rows that a model has not seen: programs that score them.

    tables      (1, data "model")       the dictionary as a hash table, and the weights: made once and broadcast
    scores      (data "text")           the work, one task for each part of the text

`Scores` keeps what an evaluation needs; `Predictions` gives lines in order, while the run goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from regrow.data.clicks import Plan, parse
from regrow.data.clicks.example_kernels import first_of_field
from regrow.data.clicks.known import dictionary_table, numbers_of
from regrow.data.clicks.parsed import Parsed
from regrow.data.clicks.warming import warm_format
from regrow.data.readonly import read_only
from regrow.evaluation.bands import band_of
from regrow.models.logistic import kernels
from regrow.packed import strings
from regrow.program import Data, Partition, Program, Results, Role, Roles

__all__ = ["Predictions", "Scored", "Scores", "probabilities", "scored", "tables_of"]

Array = npt.NDArray[Any]


class Scored(NamedTuple):
    """Rows with scores.

    score float64: sum of w x; unseen int32: features that the model has not; rarest int64: the least training count of its features (or of
    those of one field), 0 where one is unseen
    """

    score: Array
    unseen: Array
    rarest: Array


def tables_of(model: Mapping[str, Any], hash_bits: int = 0, calibrate: str = "") -> dict[str, Any]:
    """What scoring needs of a model's arrays."""
    table = dictionary_table(model, hash_bits)
    if "calibration.p" in model:
        table |= {
            "calibration_group": model["calibration.group"],
            "calibration_p": model["calibration.p"],
            "calibrated": strings([calibrate]),
        }
    return {**table, "weight": model["features.weight"], "count": model["features.count"]}


def scored(parsed: Parsed, table: Mapping[str, Any], field: str = "") -> Scored:
    """Score the rows of a part. field: the one whose counts are meant by `rarest`; "": the rarest of all."""
    id = numbers_of(parsed, table)
    count = np.asarray(table["count"])
    if int(table["table_bits"]):
        id = np.where(count[id] > 0, id, -1)
    rows = len(parsed.label)
    found = Scored(np.empty(rows), np.empty(rows, np.int32), np.empty(rows, np.int64))
    arrays = [read_only(array) for array in (parsed.row_ptr, parsed.feature, parsed.value, id, table["weight"], count)]
    score_rows: Any = kernels.scores
    score_rows(*arrays, *found)
    if "calibrated" in table:
        own = parsed.names.index(table["calibrated"][0]) if table["calibrated"][0] in parsed.names else -1
        place: Array = first_of_field(arrays[0], arrays[1], read_only(parsed.field), own)
        group = np.where(place >= 0, np.append(id, 0)[place], 0)
        kernels.calibrated(found.score, group, read_only(table["calibration_group"]), read_only(table["calibration_p"]))
    if field:
        own = parsed.names.index(field) if field in parsed.names else -1
        kernels.rarest_of(arrays[0], arrays[1], arrays[3], arrays[5], read_only(parsed.field), own, found.rarest)
    return found


def probabilities(score: Array) -> Array:
    """1 / (1 + exp(-score)): float64."""
    found: Array = kernels.sigmoids(read_only(score))
    return found


@dataclass(frozen=True)
class _Unseen(Program):
    """A program on new rows.

    format, plan    as in `ClickSource`
    hash_bits       those of the model
    skip            leave out rows that are broken
    calibrate       the field by which the model is calibrated, if it is
    field           whose training counts make the bands; "": the rarest of all
    """

    format: str = "csv"
    plan: Mapping[str, Any] | None = None
    hash_bits: int = 0
    skip: bool = False
    field: str = ""
    calibrate: str = ""

    needs_label: ClassVar[bool] = False

    def roles(self, data: Data) -> Roles:
        """One round."""
        return Roles(1, tables=Role(1, data="model"), scores=Role(data["text"], data="text", reads={"tables": 0}))

    def tables(self, part: Partition) -> None:
        """Broadcast the model."""
        part.broadcast("scores", **tables_of(part.fixed, self.hash_bits, self.calibrate))

    def read(self, part: Partition) -> tuple[Parsed, Scored]:
        """The rows of a part and their scores."""
        (table,) = part.inbox("tables")
        parsed = parse(part.fixed, self.format, Plan.from_json(self.plan or {}), needs_label=self.needs_label, skip=self.skip)
        found = scored(parsed, table, self.field)
        numbers = {"examples": len(parsed.label), "unseen": int(found.unseen.sum()), "missing": parsed.missing}
        for name, number in (numbers | {"bad_rows": len(parsed.broken), "left_out": parsed.left_out}).items():
            part.metric(name, number)
        return parsed, found

    def warm(self) -> None:
        """Compile or load the kernels."""
        from regrow.models.logistic.warming import warm_scoring

        warm_scoring()
        warm_format(self.format)


@dataclass(frozen=True)
class Scores(_Unseen):
    """Scores of rows with labels, for an evaluation.

    Arrays, by row: score float64, label uint8, band int8 (see `band_of`), weight float32 (empty: all are 1), moment uint64 (empty: they
    have no times).
    """

    needs_label: ClassVar[bool] = True

    def scores(self, part: Partition) -> None:
        """Score a part."""
        parsed, found = self.read(part)
        plan = Plan.from_json(self.plan or {})
        more = {"weight": parsed.weight} if plan.weight >= 0 or self.format == "vw" else {}
        more |= {"moment": parsed.moment} if plan.time >= 0 else {}
        part.result(score=found.score, band=band_of(found.rarest), label=parsed.label, **more)

    def model(self, results: Results) -> Mapping[str, Any]:
        """The rows of all parts."""
        none = {"weight": np.empty(0, np.float32), "moment": np.empty(0, np.uint64)}
        found = {name: results.concatenated("scores", name) for name in ("score", "band", "label", *none) if name in results["scores"][0]}
        return none | found


@dataclass(frozen=True)
class Predictions(_Unseen):
    """Predictions as lines of JSON, one for each row, in order: {"p": 0.0123, "unseen": 2}; "label" if the rows have one."""

    results_streamed: ClassVar[str] = "scores"

    def scores(self, part: Partition) -> None:
        """The lines of a part."""
        parsed, found = self.read(part)
        p, unseen, label = probabilities(found.score).tolist(), found.unseen.tolist(), parsed.label.tolist()
        told = [f', "label": {y}' if y < 2 else "" for y in label]
        lines = "".join(f'{{"p": {p:.9g}{y}, "unseen": {u}}}\n' for p, y, u in zip(p, told, unseen, strict=True))
        part.result(lines=np.frombuffer(lines.encode(), np.uint8))
