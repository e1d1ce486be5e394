"""What the input is: its files, their format, and where the text is in them. Checked before anything is read whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from regrow.data.formats import ALL, FORMATS, named
from regrow.data.formats.facts import SourceFile, TextOptions, asked_fields, shown_line, undecodable
from regrow.data.formats.format import Format
from regrow.data.inputs import Input, found
from regrow.data.recognise import recognised, without_marks
from regrow.data.streams import Stream
from regrow.errors import DataError, UsageError

__all__ = ["FORMATS", "Source", "SourceFile", "TextOptions", "check_encoding", "describe", "shown_line", "undecodable"]

_DEFAULTS = {field.name: field.default for field in fields(SourceFile)}


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

    @property
    def kind(self) -> str:
        """What the documents are: "text", or "bag" for words by number."""
        return named(self.format).kind

    @property
    def reader(self) -> Format:
        """The format."""
        return named(self.format)

    def to_json(self) -> dict[str, Any]:
        """This description as JSON values; of files only what is not the default, as there may be very many."""
        files = [{name: value for name, value in vars(file).items() if value != _DEFAULTS.get(name)} for file in self.files]
        return {
            "format": self.format,
            "files": [{name: list(value) if isinstance(value, tuple) else value for name, value in file.items()} for file in files],
            "text_fields": list(self.text_fields),
            "vocabulary": self.vocabulary,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Source:
        """The description that `to_json` made."""
        files = tuple(SourceFile(**{**file, "columns": tuple(file.get("columns", ()))}) for file in value["files"])
        return Source(value["format"], files, tuple(value["text_fields"]), value["vocabulary"])


def describe(paths: Sequence[str], options: TextOptions | None = None) -> Source:
    """Look at the first lines of each file, and say what the input is.

    Raises DataError for files that are missing, empty, broken, of different formats or without the wanted fields;
    UsageError for options that do not fit the format.
    """
    options = options or TextOptions()
    inputs = found(paths)
    format = named(options.format or recognised(inputs, options.vocabulary is not None))
    _check_options(format, options)
    wanted = asked_fields(options.text_field)
    files = format.look_together([_file(input, format, options) for input in without_marks(inputs, format)])
    return Source(format.name, tuple(files), wanted if format.has_fields else (), options.vocabulary)


def _check_options(format: Format, options: TextOptions) -> None:
    name = format.name
    for option, value, has in (
        ("--text-field", options.text_field, format.has_fields),
        ("--id-field", options.id_field, format.has_fields),
        ("--header", options.header, format.has_header),
    ):
        if value and not has:
            others = [other.name for other in ALL if (other.has_header if option == "--header" else other.has_fields)]
            raise UsageError(
                f"{option} has no meaning for {name} files: they have no {'fields' if option != '--header' else 'header of names'}",
                f"leave it out, or say --format {', '.join(others[:-1])} or {others[-1]}",
            )
    if options.header not in (None, "yes", "no"):
        raise UsageError(f"--header {options.header}", "say yes if the first line names the fields, or no if it is a document")
    if options.vocabulary is not None and format.kind != "bag":
        raise UsageError(f"--vocab belongs to bags of words, and the input is {name}", "leave it out, or say --format bag if it is one")


def _file(input: Input, format: Format, options: TextOptions) -> SourceFile:
    """One file, looked at."""
    size = os.path.getsize(input.name)
    if not size and not format.blank:
        raise DataError(f"{input.name} is empty", "every input file must hold at least one document: leave it out, or fill it")
    stream = Stream(input.name)
    file = SourceFile(input.name, size, bool(stream.compression), root=input.root)
    if format.blank:
        return file
    head = stream.head()
    if not head.strip():
        raise DataError(f"{input.name} holds no text", "every input file must hold at least one document: leave it out, or fill it")
    if format.kind == "text" and not format.magic:
        check_encoding(input.name, head)
    return format.look(file, head, options)


def check_encoding(name: str, head: bytes) -> None:
    """Raise DataError for what can only be UTF-16, or no text at all: with its zero bytes it may be valid UTF-8."""
    begin = head[:1024]
    zeros = begin.count(0)
    if begin.startswith((b"\xff\xfe", b"\xfe\xff")):
        what, guess = "begins with the mark of UTF-16", "UTF-16"
    elif zeros > len(begin) // 4:
        what, guess = f"has {zeros:,} zero bytes among its first {len(begin):,}", "UTF-16BE" if begin[0] == 0 else "UTF-16LE"
    else:
        return
    raise DataError(f"{name}, line 1: the file {what}, so it is not UTF-8", f"convert the file, e.g. iconv -f {guess} -t UTF-8 {name}")
