"""What the input is: its files, their format, and where the text is in them. Checked before anything is read whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from regrow.data.streams import Stream, frozen
from regrow.errors import DataError, UsageError

__all__ = ["FORMATS", "Source", "SourceFile", "TextOptions", "describe"]

FORMATS = ("txt", "jsonl", "csv", "tsv", "bag")
_SUFFIXES = {".txt": "txt", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv"}
_DELIMITERS = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True)
class TextOptions:
    """What a user may say of text and of its words.

    format          one of FORMATS; None: by the files' names and first lines
    text_field      jsonl, csv, tsv: one field or several, separated by commas; None: "text"
    vocabulary      bag: the file with one word per line
    lower           whether words are put into lower case
    stop_words      "english", or a file of words separated by white space
    min_count       words with fewer occurrences are dropped: none by default
    max_doc_share   words in a larger share of the documents are dropped
    token_pattern   a regular expression of Python for a word; None: the built-in words
    id_field        the field with the documents' names; None: "id" if the records have it
    header          csv, tsv: "no" if there is no line with names: then fields are numbers from 1
    segment         words of scripts without spaces: auto (characters and pairs), characters, bigrams, jieba, none
    """

    format: str | None = None
    text_field: str | None = None
    vocabulary: str | None = None
    lower: bool = True
    stop_words: str | None = None
    min_count: int = 1
    max_doc_share: float = 1.0
    token_pattern: str | None = None
    id_field: str | None = None
    header: str | None = None
    segment: str = "auto"


@dataclass(frozen=True)
class SourceFile:
    """One input file.

    bytes       on disk; gzipped: whether they are compressed
    header_lines    lines before the first record
    columns     csv, tsv: the wanted columns, from 0; width: the least number of columns
    documents, words, triples    bag: the three numbers of its header
    """

    name: str
    bytes: int
    gzipped: bool
    header_lines: int = 0
    columns: tuple[int, ...] = ()
    width: int = 1
    documents: int = 0
    words: int = 0
    triples: int = 0


@dataclass(frozen=True)
class Source:
    """The frozen list of input files and their format: JSON values all through (`Source.from_json(source.to_json())`)."""

    format: str
    files: tuple[SourceFile, ...]
    text_fields: tuple[str, ...] = ()
    vocabulary: str | None = None

    @property
    def bytes(self) -> int:
        """The size of all files on disk."""
        return sum(file.bytes for file in self.files)

    def to_json(self) -> dict[str, Any]:
        """This description as JSON values."""
        value: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return value

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Source:
        """The description that `to_json` made."""
        files = tuple(SourceFile(**{**file, "columns": tuple(file["columns"])}) for file in value["files"])
        return Source(value["format"], files, tuple(value["text_fields"]), value["vocabulary"])


def describe(paths: Sequence[str], options: TextOptions | None = None) -> Source:
    """Look at the first lines of each file, and say what the input is.

    Raises DataError for files that are missing, empty, broken, of different formats or without the wanted fields;
    UsageError for options that do not fit the format.
    """
    options = options or TextOptions()
    names = frozen(paths)
    heads = {name: Stream(name).head() for name in names}
    formats = {name: options.format or _format(name, heads[name], options.vocabulary is not None) for name in names}
    format = formats[names[0]]
    for name in names:
        if formats[name] != format:
            raise DataError(
                f"{names[0]} looks like {format} but {name} like {formats[name]}", "name files of one format, or say which with --format"
            )
    _check_options(format, options)
    fields = _asked_fields(options.text_field)
    files = tuple(_file(name, format, heads[name], fields) for name in names)
    if format == "bag":
        _check_equal_words(files)
    return Source(format, files, fields if format in ("jsonl", "csv", "tsv") else (), options.vocabulary)


def _check_options(format: str, options: TextOptions) -> None:
    if format not in FORMATS:
        raise UsageError(f'there is no format "{format}"', f"--format is one of {', '.join(FORMATS)}")
    if options.text_field is not None and format in ("txt", "bag"):
        raise UsageError(
            f"--text-field has no meaning for {format} files: they have no fields", "leave it out, or say --format csv, tsv or jsonl"
        )
    if options.vocabulary is not None and format != "bag":
        raise UsageError(
            f"--vocab belongs to bags of words (UCI docword), and the input is {format}", "leave it out, or say --format bag if it is one"
        )


def _asked_fields(text_field: str | None) -> tuple[str, ...]:
    fields = tuple(field.strip() for field in (text_field or "text").split(","))
    if not all(fields) or len(set(fields)) < len(fields):
        raise UsageError(
            f'--text-field "{text_field}" names an empty field, or one twice', "give names separated by commas, e.g. title,abstract"
        )
    return fields


def _format(name: str, head: bytes, has_vocabulary: bool) -> str:
    path = Path(name.removesuffix(".gz"))
    if path.suffix in _SUFFIXES and path.suffix != ".txt":
        return _SUFFIXES[path.suffix]
    lines = head.split(b"\n", 4)[:4]
    numbers = [[word.isdigit() for word in line.split()] for line in lines]
    if has_vocabulary or path.name.startswith("docword") or numbers == [[True]] * 3 + [[True] * 3]:
        return "bag"
    if path.suffix != ".txt" and head.lstrip().startswith(b"{"):
        return "jsonl"
    return "txt"


def _file(name: str, format: str, head: bytes, fields: tuple[str, ...]) -> SourceFile:
    base = SourceFile(name, Path(name).stat().st_size, Stream(name).gzipped)
    if not head.strip():
        raise DataError(f"{name} holds no text", "every input file must hold at least one document: leave it out, or fill it")
    if format == "bag":
        return _bag_file(base, head)
    if format in _DELIMITERS:
        return _table_file(base, head, _DELIMITERS[format], fields)
    return base


def _table_file(base: SourceFile, head: bytes, delimiter: str, fields: tuple[str, ...]) -> SourceFile:
    try:
        text = head.decode("utf-8", "strict" if len(head) < 1 << 16 else "ignore")
    except UnicodeDecodeError as error:
        raise undecodable(base.name, head, error, 1) from error
    if delimiter == "\t":
        header, lines = text.split("\n", 1)[0].rstrip("\r").split("\t"), 1
    else:
        reader = csv.reader(io.StringIO(text, newline=""))
        header = next(reader, [])
        lines = reader.line_num
    header = [name.strip() for name in header]
    for field in fields:
        if field not in header:
            shown = ", ".join(header[:20]) + (", ..." if len(header) > 20 else "")
            example = header[-1] if header and header[-1] else "NAME"
            raise DataError(
                f'{base.name}, line 1: no field "{field}" (fields: {shown})',
                f"name the text field, or several, with --text-field, e.g. --text-field {example}",
            )
    columns = tuple(header.index(field) for field in fields)
    return SourceFile(**{**asdict(base), "header_lines": lines, "columns": columns, "width": max(columns) + 1})


def _bag_file(base: SourceFile, head: bytes) -> SourceFile:
    names = ("the number of documents", "the number of words", "the number of triples")
    lines = head.split(b"\n", 3)[:3]
    numbers = []
    for i, meaning in enumerate(names):
        line = lines[i].strip() if i < len(lines) else b""
        if not line.isdigit() or len(line) > 18 or int(line) < 1:
            raise DataError(
                f"{base.name}, line {i + 1}: a bag of words begins with {meaning} there, and the line is {shown_line(line)}",
                "give a UCI docword file (three lines with one number each, then lines `document word count`), or say another --format",
            )
        numbers.append(int(line))
    if numbers[1] >= 2**31:
        raise DataError(f"{base.name}, line 2: {numbers[1]:,} words are more than 2,147,483,647", "number the words from 1 without gaps")
    return SourceFile(**{**asdict(base), "header_lines": 3, "documents": numbers[0], "words": numbers[1], "triples": numbers[2]})


def _check_equal_words(files: Sequence[SourceFile]) -> None:
    for file in files:
        if file.words != files[0].words:
            raise DataError(
                f"{file.name}, line 2: {file.words:,} words, but {files[0].name} has {files[0].words:,}",
                "bags of words that are read together must number the same vocabulary",
            )


def undecodable(name: str, text: bytes, error: UnicodeDecodeError, first_line: int) -> DataError:
    """The error for bytes that are no UTF-8: names the line, the place in it, and the byte."""
    line = first_line + text.count(b"\n", 0, error.start)
    place = error.start - (text.rfind(b"\n", 0, error.start) + 1) + 1
    wide = text[:2] in (b"\xff\xfe", b"\xfe\xff")
    guess = "UTF-16" if wide else "LATIN1"
    return DataError(
        f"{name}, line {line:,}: byte {place:,} of the line is {text[error.start]:#04x}, which is not UTF-8",
        f"convert the file, e.g. iconv -f {guess} -t UTF-8 {name}",
    )


def shown_line(line: bytes) -> str:
    """A line for a message: quoted, and cut where it is long."""
    if not line.strip():
        return "empty"
    text = line.decode("utf-8", "replace").strip()
    return f'"{text[:60]}{"..." if len(text) > 60 else ""}"'
