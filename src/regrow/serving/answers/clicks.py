"""Chances of clicks of rows: the numbers of `regrow ctr predict`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from regrow.errors import DataError
from regrow.serving.answers import Answers, Asked, listed, only
from regrow.serving.forms import BadRequest
from regrow.serving.limits import Limits

__all__ = ["Clicks"]

PIECE_ROWS, PIECE_BYTES = 256, 1 << 18
"""So many rows, or bytes of them, are answered in one piece."""
LINES = ("libsvm", "libffm", "vw")

Value = str | int | float | bool | None
Row = dict[str, Value]


class ClicksAsked(Asked):
    """Rows of columns by name (a column that is left out is empty); of a model of lines, lines as training had them."""

    rows: list[Row] | None = None
    lines: list[str] | None = None


class ClicksItem(msgspec.Struct, omit_defaults=True):
    """The chance of a row; label: its own, if it has one; unseen: features that training never met."""

    p: float
    unseen: int
    label: int | None = None


class Clicks(Answers):
    """A model of clicks."""

    name = "clicks"
    items = "rows"
    asked = ClicksAsked
    line = Row | str
    item = ClicksItem
    example: ClassVar[Mapping[str, Any]] = {"rows": [{"site": "news", "ad": "4711"}]}
    outputs = (("p", "FP64", (-1,)), ("unseen", "INT64", (-1,)))

    @staticmethod
    def prepare(files: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The dictionary as a hash table, weights and counts; how rows are read."""
        import numpy as np

        from regrow.data.clicks import ClickOptions, Plan
        from regrow.data.clicks.plan import plan_of, split_label
        from regrow.models.logistic.model import ClickModel
        from regrow.models.logistic.unseen import tables_of

        ClickModel(files.arrays, files.parameters)
        options = ClickOptions(**files.about["text"])
        if options.topics is not None:
            raise DataError(
                "the model takes topics of a text as features, which another model must find first", "serve a model without --topics"
            )
        for name in ("features.weight", "calibration.p"):
            if name in files.arrays and not np.isfinite(files.arrays[name]).all():
                raise DataError(f"{name} has values that are no numbers", "train it again")
        arrays = tables_of(files.arrays, options.hash_bits, options.calibrate or "")
        bits = arrays.pop("table_bits")
        columns = list(options.columns or ())
        plan = Plan((), (), positive=split_label(options.label)[1])
        if options.format not in LINES:
            plan, _ = plan_of("the request", columns, options, needs_label=False)
        return arrays, {"bits": bits, "format": options.format, "plan": plan.to_json()}

    @staticmethod
    def card(files: Any) -> dict[str, Any]:
        """Sizes, columns, and the progressive validation by band."""
        from regrow.evaluation.bands import BANDS
        from regrow.models.logistic.model import ClickModel

        model = ClickModel(files.arrays, files.parameters)
        units, clicks, weight, loss = (files.arrays[f"progress.{name}"].tolist() for name in ("units", "clicks", "weight", "loss"))
        total = max(sum(units), 1)
        bands = [
            {"band": band, "units": u, "share": round(u / total, 6), "clicks": c, "loss": x / w if w else None}
            for band, u, c, w, x in zip(BANDS, units, clicks, weight, loss, strict=True)
        ]
        text = files.about["text"]
        found = {"features": model.features, "columns": text.get("columns"), "base_rate": model.base_rate, "loss": model.progressive_loss}
        return {**found, "rows_format": text["format"], "bands": bands}

    @staticmethod
    def golden(files: Any) -> list[dict[str, Any]]:
        """Frequent features, rare ones, unknown ones, none."""
        import numpy as np

        text, arrays = files.about["text"], files.arrays
        values, names = arrays["features.value"], list(arrays["fields.name"])
        order = np.argsort(-np.asarray(arrays["features.count"]), kind="stable").tolist()
        some = [(names[int(arrays["features.field"][i])], values[i]) for i in [*order[:40], *order[-40:]] if i]
        columns = text.get("columns") or []
        if text["format"] not in LINES:
            plain = set(columns) - set(text.get("numeric") or ()) - set(text.get("binned") or ()) - {text.get("weight"), text.get("time")}
            plain -= {(text.get("label") or "").partition("=")[0]}
            return [
                {
                    "rows": [
                        {},
                        *({name: value} for name, value in some if name in plain),
                        *({name: "\u00e9 unknown"} for name in sorted(plain)),
                    ]
                }
            ]
        if text["format"] == "vw":
            return [{"lines": ["|unknown unknown:1"]}]
        pairs = [f"{name}:{value}:1" if name else f"{value}:1" for name, value in some if value.isdecimal()]
        return [{"lines": ["0 1:1:1" if text["format"] == "libffm" else "0 1:1", *(f"0 {pair}" for pair in pairs)]}]

    def __init__(self, arrays: Mapping[str, Any], note: Mapping[str, Any]) -> None:
        from regrow.data.clicks import Plan

        self.table = {**arrays, "table_bits": note["bits"]}
        self.format, self.plan = note["format"], Plan.from_json(note["plan"])
        self.places = {name: place for place, name in enumerate(self.plan.columns)}

    def work(self, asked: ClicksAsked, limits: Limits) -> Iterator[list[bytes]]:
        """Rows in pieces."""
        given: Sequence[Any] = self._given(asked)
        if len(given) > limits.items:
            raise BadRequest(f"{len(given):,} rows, and {limits.items:,} at once is the most", "send fewer, or use /v1/batch", 413)
        for start in range(0, len(given), PIECE_ROWS):
            yield self._piece(given[start : start + PIECE_ROWS], start)

    def _given(self, asked: ClicksAsked) -> Sequence[Any]:
        rows, lines = asked.rows, asked.lines
        if self.format in LINES:
            if lines is None or rows is not None:
                raise BadRequest(f'the model was trained on {self.format} lines: there must be "lines", and nothing else')
            for number, line in enumerate(lines):
                if "\n" in line or not line.strip():
                    raise BadRequest(f"line {number} is empty, or has a line's end in it", "one row for each line")
            return lines
        if rows is None or lines is not None:
            shown = ", ".join(self.plan.columns[:20])
            raise BadRequest('there must be "rows", and nothing else', f"rows are objects of columns: {shown}")
        return rows

    def _piece(self, given: Sequence[Any], first: int) -> list[bytes]:
        from regrow.models.logistic.unseen import probabilities, scored

        parsed = self._of_lines(given) if self.format in LINES else self._of_rows(given, first)
        if parsed.broken:
            bad = parsed.broken[0]
            raise BadRequest(f"row {first + bad.line}: {bad.why()}", "mend it; rows are read as training read them")
        found = scored(parsed, self.table)
        p, unseen, label = probabilities(found.score).tolist(), found.unseen.tolist(), parsed.label.tolist()
        told = [f', "label": {y}' if y < 2 else "" for y in label]
        return [f'{{"p": {p:.9g}{y}, "unseen": {u}}}'.encode() for p, y, u in zip(p, told, unseen, strict=True)]

    def _of_lines(self, lines: Sequence[str]) -> Any:
        import numpy as np

        from regrow.data.clicks import parse
        from regrow.packed import strings
        from regrow.program import Fixed

        text = np.frombuffer(("\n".join(lines) + "\n").encode("utf-8", "replace"), np.uint8)
        part = Fixed({"text": text, "source": np.array([0, 0]), "file": strings(["the request"])})
        return parse(part, self.format, self.plan, needs_label=False, skip=True)

    def _of_rows(self, rows: Sequence[Row], first: int) -> Any:
        import numpy as np

        from regrow.data.clicks.records import of_columns

        cells: list[bytes] = []
        width = len(self.places)
        for number, row in enumerate(rows, first):
            own = [b""] * width
            for name, value in row.items():
                place = self.places.get(name)
                if place is None:
                    raise BadRequest(
                        f'row {number} has a column "{name[:80]}" that training had not', f"columns: {', '.join(self.places)}"[:500]
                    )
                own[place] = shown(value)
            cells += own
        ends = np.cumsum([len(cell) for cell in cells], dtype=np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[: len(ends)]
        text = np.frombuffer(b"".join(cells), np.uint8)
        kinds = np.zeros(len(rows), np.uint8)
        shape = (len(rows), width)
        return of_columns(text, starts.reshape(shape), ends.reshape(shape), kinds, self.plan, False, True)

    @staticmethod
    def together(lines: Sequence[Any], first: int) -> dict[str, Any]:
        """Rows, or lines."""
        if all(isinstance(line, str) for line in lines):
            return {"lines": list(lines)}
        if any(isinstance(line, str) for line in lines):
            raise BadRequest("every line must be an object of columns; or every line must be a string")
        return {"rows": list(lines)}

    @staticmethod
    def inputs(card: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Columns, any of which may be left out; of a model of lines, lines."""
        return [listed("lines")] if card.get("rows_format") in LINES else [listed(name) for name in card.get("columns") or ()]

    @staticmethod
    def of_tensors(inputs: Mapping[str, Sequence[Any]], parameters: Mapping[str, Any]) -> dict[str, Any]:
        """An input for each column, all of one length; or one called "lines"."""
        if "lines" in inputs:
            return {"lines": only(inputs, "lines"), **parameters}
        sizes = {len(data) for data in inputs.values()}
        if len(sizes) != 1:
            raise BadRequest("there must be an input for each column, all of the same length", "see /v2/models/clicks")
        return {"rows": [dict(zip(inputs, values, strict=True)) for values in zip(*inputs.values(), strict=True)], **parameters}

    @staticmethod
    def to_tensors(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Chances, and how many features were unseen."""
        n = len(items)
        return [
            {"name": "p", "datatype": "FP64", "shape": [n], "data": [item["p"] for item in items]},
            {"name": "unseen", "datatype": "INT64", "shape": [n], "data": [item["unseen"] for item in items]},
        ]


def shown(value: Value) -> bytes:
    """A value of JSON as a table has it."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return repr(value).encode()
