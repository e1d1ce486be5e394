"""A part of a text -> its documents, as pieces of bytes."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.record_kernels import QUOTE, fields
from regrow.data.source import shown_line, undecodable
from regrow.data.vocabulary import read_only
from regrow.errors import DataError
from regrow.program import Fixed

__all__ = ["Documents", "documents"]

_DELIMITERS = {"csv": ord(","), "tsv": ord("\t"), "txt": -1}


@dataclass(frozen=True)
class Documents:
    """Documents of a part: document d is the pieces `text[starts[i]:ends[i]]` for the `per_document` i from d * per_document.

    text: uint8, valid UTF-8; starts, ends: int64. `quoted`: whether a quote inside a piece is written twice.
    """

    text: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    per_document: int
    quoted: bool = False

    def __len__(self) -> int:
        return len(self.starts) // self.per_document

    def texts(self) -> list[str]:
        """The documents as strings; pieces of one are joined by a space."""
        data = self.text.tobytes()
        pieces = [data[start:end].decode("utf-8") for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]
        if self.quoted:
            pieces = [piece.replace('""', '"') for piece in pieces]
        step = self.per_document
        return pieces if step == 1 else [" ".join(pieces[i : i + step]) for i in range(0, len(pieces), step)]


def documents(part: Fixed, format: str, text_fields: Sequence[str]) -> Documents:
    """The documents of a part of the layout "text" (see `ingest`).

    Raises DataError, with file and line, for bytes that are not UTF-8, and for a record without the wanted fields.
    """
    text, name, first_line = read_only(part["text"]), part["file"][0], int(part["source"][1])
    try:
        codecs.utf_8_decode(text, "strict", True)  # type: ignore[arg-type]
    except UnicodeDecodeError as error:
        raise undecodable(name, text.tobytes(), error, first_line) from error
    if format == "jsonl":
        return _json_documents(text.tobytes(), name, first_line, text_fields)
    return _table_documents(part, text, name, first_line, format)


def _table_documents(part: Fixed, text: npt.NDArray[np.uint8], name: str, first_line: int, format: str) -> Documents:
    """csv, tsv, and lines, which are tables of one column."""
    columns = np.asarray(part["columns"]) if format != "txt" else np.zeros(1, np.int64)
    width = int(part["width"][0]) if format != "txt" else 1
    slots = np.full(width, -1, np.int64)
    slots[columns] = np.arange(len(columns))
    quote = QUOTE if format == "csv" else -1
    starts, ends, error, line, found = fields(text, _DELIMITERS[format], quote, slots, len(columns), width, width == 1)
    if error == 1:
        raise DataError(
            f"{name}, line {first_line + line:,}: {found} field{'s' if found > 1 else ''}, and the text is in field {width}",
            f"every line needs as many fields as the header: separate them by {'commas' if format == 'csv' else 'tabs'}",
        )
    if error == 2:
        raise DataError(f"{name}, line {first_line + line:,}: a quote is opened and never closed", 'quotes inside fields are doubled ("")')
    return Documents(text, starts.reshape(-1), ends.reshape(-1), len(columns), quote == QUOTE)


def _json_documents(data: bytes, name: str, first_line: int, text_fields: Sequence[str]) -> Documents:
    pieces = []
    for number, line in enumerate(data.split(b"\n"), first_line):
        if line and not line.isspace():
            try:
                record = json.loads(line)
            except ValueError as error:
                place = f" at character {error.colno:,}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
                raise DataError(
                    f"{name}, line {number:,}: not a JSON object{place}: the line is {shown_line(line)}",
                    "every line must be one JSON object; say another --format if it is not JSON lines",
                ) from error
            pieces += _json_texts(record, f"{name}, line {number:,}", text_fields)
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    text = np.frombuffer(b"".join(pieces), np.uint8)
    return Documents(text, np.concatenate([ends[:0], [0], ends[:-1]])[: len(ends)].astype(np.int64), ends, len(text_fields))


def _json_texts(record: Any, where: str, text_fields: Sequence[str]) -> list[bytes]:
    if not isinstance(record, dict):
        raise DataError(
            f"{where}: not a JSON object but a {_json_kind(record)}", 'every line must be one JSON object, e.g. {"text": "..."}'
        )
    texts = []
    for field in text_fields:
        value = record.get(field)
        if field not in record:
            raise DataError(
                f'{where}: no field "{field}" (fields: {", ".join(list(record)[:20])})',
                f"name the text field with --text-field, e.g. --text-field {next(_fields_of_text(record), 'NAME')}",
            )
        if not isinstance(value, str):
            raise DataError(
                f'{where}: the field "{field}" is a {_json_kind(value)}, not a string', "name a field of text with --text-field"
            )
        texts.append(value.encode("utf-8", "replace"))
    return texts


def _fields_of_text(record: dict[str, Any]) -> Iterator[str]:
    return (name for name, value in record.items() if isinstance(value, str))


def _json_kind(value: Any) -> str:
    kinds = {dict: "JSON object", list: "list", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return kinds[type(value)]
