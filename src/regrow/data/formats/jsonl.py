"""JSON lines: each line is a JSON object, and some of its fields are the text of a document, or its words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from regrow.data.formats.facts import Documents, shown_line, shown_names
from regrow.data.formats.txt import Txt, utf8_of
from regrow.errors import DataError
from regrow.packed import strings
from regrow.program import Fixed

__all__ = ["JSONL"]

WORDS_MAX = 1 << 24
"""More words than this in one object of counts are taken for an error."""


class Jsonl(Txt):
    """Every line that is not blank is a document.

    A field is a string (text), a list of strings (its words, taken as they are), or an object of words with their counts. Its name is a
    string or an integer.
    """

    name = "jsonl"
    suffixes = (".jsonl", ".ndjson")
    has_fields = True

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Whether it begins with a brace, or is called .json: then whoever reads it says what is wrong with its lines."""
        return name.endswith(".json") or (not name.endswith(".txt") and head.lstrip().startswith(b"{"))

    def documents(self, part: Fixed, wanted: Sequence[str], id_field: str | None) -> Documents:
        """Parse each line."""
        name, first_line = part["file"][0], int(part["source"][1])
        pieces: list[bytes] = []
        ids: list[str] = []
        given = None  # whether words are given: as in the first record, so in all
        for number, line in enumerate(utf8_of(part).tobytes().split(b"\n"), first_line):
            if line and not line.isspace():
                where = f"{name}, line {number:,}"
                record = _record(line, where)
                for field in wanted:
                    value = record.get(field)
                    words = type(value) is not str
                    text = _words(record, field, where) if words else str(value)
                    if words is not given:
                        given = words if given is None else _mixed(where, field, words)
                    pieces.append(text.encode("utf-8", "replace"))
                if id_field != "":
                    ids.append(_id(record, id_field, where))
        ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[: len(ends)]
        joined = np.frombuffer(b"".join(pieces), np.uint8)
        return Documents(joined, starts, ends, len(wanted), False, bool(given), strings(ids) if any(ids) else None)


def _record(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        place = f" at character {error.colno:,}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(
            f"{where}: not a JSON object{place}: the line is {shown_line(line)}",
            "every line must be one JSON object; say another --format if it is not JSON lines",
        ) from error
    if not isinstance(record, dict):
        raise DataError(f"{where}: not a JSON object but a {_kind(record)}", 'every line must be one JSON object, e.g. {"text": "..."}')
    return record


def _words(record: dict[str, Any], field: str, where: str) -> str:
    """The words of a field that is no string, with a zero byte between them. Raises DataError if it is nothing of the kind."""
    if field not in record:
        raise DataError(
            f'{where}: no field "{field}" (fields: {shown_names(list(record))})',
            f"name the text field with --text-field, e.g. --text-field {next(_fields_of_text(record), 'NAME')}",
        )
    value = record[field]
    if isinstance(value, dict):
        return "\0".join(_counted(value, field, where))
    if not isinstance(value, list):
        raise DataError(f'{where}: the field "{field}" is {_a_kind(value)}, not a string', "name a field of text with --text-field")
    for word in value:
        if type(word) is not str:
            raise DataError(
                f'{where}: the list in the field "{field}" holds {_a_kind(word)}', "words are strings: name another field, or mend the line"
            )
        if "\0" in word:
            raise _zero_byte(where, field)
    return "\0".join([word for word in value if word])


def _counted(counts: dict[str, Any], field: str, where: str) -> Iterator[str]:
    """The words of an object of counts, each as often as it says."""
    total = 0
    for word, count in counts.items():
        if type(count) is not int or count < 0:
            shown = count if type(count) in (int, float) else _a_kind(count)
            raise DataError(f'{where}: the count of "{word}" in the field "{field}" is {shown}', "counts are integers from 0")
        total += count
        if total > WORDS_MAX:
            raise DataError(f'{where}: the counts in the field "{field}" come to more than {WORDS_MAX:,} words', "mend the counts")
        if "\0" in word:
            raise _zero_byte(where, field)
        if word:
            yield from [word] * count


def _id(record: dict[str, Any], id_field: str | None, where: str) -> str:
    """The document's name. Raises DataError if it was asked for and is not there."""
    value = record.get(id_field or "id")
    if type(value) is str:
        return value.encode("utf-8", "replace").decode("utf-8")
    if type(value) is int:
        return str(value)
    if id_field is None:
        return ""
    if id_field not in record:
        raise DataError(f'{where}: no field "{id_field}" (fields: {shown_names(list(record))})', "name another one with --id-field")
    raise DataError(f'{where}: the field "{id_field}" is {_a_kind(value)}', "documents' names are strings or integers: see --id-field")


def _mixed(where: str, field: str, words: bool) -> bool:
    now, before = ("words", "text") if words else ("text", "words")
    raise DataError(
        f'{where}: the field "{field}" is {now}, and what comes before it is {before}',
        "all wanted fields of all documents must be strings, or all lists of words",
    )


def _zero_byte(where: str, field: str) -> DataError:
    return DataError(f'{where}: a word in the field "{field}" has a zero byte', "remove it: words cannot hold one")


def _fields_of_text(record: dict[str, Any]) -> Iterator[str]:
    return (name for name, value in record.items() if isinstance(value, str))


def _a_kind(value: Any) -> str:
    kind = _kind(value)
    return kind if kind in ("null", "NaN") else f"a {kind}"


def _kind(value: Any) -> str:
    if value != value:
        return "NaN"
    kinds = {dict: "JSON object", list: "list", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return kinds[type(value)]


JSONL = Jsonl()
