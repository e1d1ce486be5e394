"""Which format files have, by their names and by what they begin with."""

from __future__ import annotations

import os
from collections.abc import Sequence

from regrow.data.compression import bare_name
from regrow.data.formats import ALL
from regrow.data.formats.format import Format
from regrow.data.inputs import Input
from regrow.data.streams import Stream
from regrow.errors import DataError

__all__ = ["recognised", "without_marks"]


def recognised(inputs: Sequence[Input], has_vocabulary: bool) -> str:
    """The name of the one format that all files have.

    Of a named file: what its suffix says, or the one format that knows its content, or lines of text. Files of plain text in a
    directory are a document each ("files"): they are lines of records only if all of them look like the same records.
    Raises DataError for files that may be one thing or another, or are of several formats.
    """
    sure: dict[str, str] = {}  # format -> the first file that has it
    maybe: dict[str, str] = {}
    inputs = [input for input in inputs if not _is_mark(input)] or list(inputs)
    for input in inputs:
        stream = Stream(input.name)
        bare = bare_name(input.name)
        if (told := _by_suffix(bare, stream)) is not None:
            sure.setdefault(told.name, input.name)
            continue
        directory = bool(input.root) and not stream.compression
        head = stream.head()
        if not head and input.root:
            continue
        settled = directory and ("txt" in maybe or len(maybe) > 1)  # nothing but a signature could matter
        seen = [format for format in ALL if (format.magic or not settled) and format.sniff(bare, head, has_vocabulary)]
        if len(seen) > 1 and not directory:
            raise DataError(f"{input.name} may be {_either(seen)}", f"say which, e.g. --format {seen[0].name}")
        name = seen[0].name if len(seen) == 1 else "bag" if has_vocabulary else "txt"
        weak = directory and not (len(seen) == 1 and seen[0].magic)
        (maybe if weak else sure).setdefault(name, input.name)
    if maybe:
        only = next(iter(maybe)) if len(maybe) == 1 else "txt"
        sure.setdefault("files" if only == "txt" else only, next(iter(maybe.values())))
    if len(sure) > 1:
        (first, name), (second, other) = list(sure.items())[:2]
        data = next(file for format, file in sure.items() if format not in ("txt", "files"))
        example = ""
        if len(sure) == 2:
            every = os.path.join(os.path.dirname(data), f"*{data[len(os.path.splitext(bare_name(data))[0]) :]}")
            example = f" (e.g. '{every}')"
        raise DataError(
            f"{name} looks like {_spoken(first)} but {other} like {_spoken(second)}",
            f"name files of one format{example}, or say which with --format",
        )
    return next(iter(sure), "files")


def without_marks(inputs: Sequence[Input], format: Format) -> Sequence[Input]:
    """The files without those that other systems put into directories of data (_SUCCESS and the like), unless all files are text."""
    if format.name in ("files", "txt"):
        return inputs
    return [input for input in inputs if not _is_mark(input)] or inputs


def _is_mark(input: Input) -> bool:
    return bool(input.root) and os.path.basename(input.name).startswith("_")


def _by_suffix(bare: str, stream: Stream) -> Format | None:
    """The format that a name says, unless the content has the signature of another."""
    suffix = os.path.splitext(bare)[1]
    told = next((format for format in ALL if suffix and suffix in format.suffixes), None)
    if told is not None:
        head = stream.head()
        for other in ALL:
            if other.magic and other is not told and other.sniff(bare, head, False):
                raise DataError(
                    f"{stream.name} is {told.name} by its name and {other.name} by its content", f"rename it, or say --format {other.name}"
                )
    return told


def _either(formats: Sequence[Format]) -> str:
    return " or ".join(format.name for format in formats)


def _spoken(name: str) -> str:
    return "plain text (each file a document)" if name == "files" else name
