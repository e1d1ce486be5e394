"""What a format is: how its files are told from others, looked at, cut into parts, and how parts are read.

A new format is one module with one object of a subclass of `TextFormat` or `BagFormat`, and one line in `formats/__init__.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from regrow.data.ahead import ahead
from regrow.data.formats.facts import Documents, SourceFile, TextOptions
from regrow.data.streams import Stream, Streams
from regrow.errors import DataError
from regrow.packed import strings
from regrow.program import Fixed

__all__ = ["Arrays", "BagFormat", "Format", "TextFormat"]

Arrays = dict[str, Any]


class Format(ABC):
    """One format of input files.

    name        as in --format
    suffixes    of names that say it: they win over what the content looks like
    kind        "text", or "bag": words by number, in a vocabulary of their own
    has_fields  whether documents have fields that can be named; has_header: whether a header line can be missing
    magic       whether `sniff` sees a signature that nothing else can have: then it wins over names
    blank       whether a file without any text may be one of several
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[str]
    has_fields: ClassVar[bool] = False
    has_header: ClassVar[bool] = False
    magic: ClassVar[bool] = False
    blank: ClassVar[bool] = False

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Whether a file looks like this format. `name` is without suffixes of compression, `head` the first 64 KiB of text."""
        return False

    def look(self, file: SourceFile, head: bytes, options: TextOptions) -> SourceFile:
        """The file with what its head says. Raises DataError for a head that is none, UsageError for options that do not fit."""
        return file

    def look_together(self, files: Sequence[SourceFile]) -> Sequence[SourceFile]:
        """The files, when each has been looked at. Raises DataError for files that cannot be read together."""
        return files

    @abstractmethod
    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """The arrays of the parts of one file: `text` uint8, of about `target` bytes, and what `documents` or `tokens` need besides.

        `file` and `source` are added to them (see `ingest`). Cuts depend on the content and on `target` alone.
        """

    def lines(self, arrays: Arrays) -> int:
        """The number of lines (or rows) of a part."""
        text = arrays["text"]
        return int(np.count_nonzero(text == 10)) + int(text[-1] != 10)

    def read(self, files: Sequence[SourceFile], streams: Streams, target: int) -> Iterator[Arrays]:
        """The parts of all files in order, whole. Raises DataError for a file without any."""
        makers = [partial(self._opened, file, streams, target) for file in files]
        for number, (file, parts) in enumerate(zip(files, ahead(makers, streams.readers), strict=True)):
            line, before = file.header_lines + 1, True
            for arrays in parts:
                yield {**arrays, "file": strings([file.name]), "source": np.array([number, line], np.int64)}
                line += self.lines(arrays)
                before = False
            if before:
                raise DataError(
                    f"{file.name} holds {'no text' if not file.header_lines else 'a header and nothing else'}", "leave it out, or fill it"
                )
            streams.lines += line - file.header_lines - 1

    def _opened(self, file: SourceFile, streams: Streams, target: int) -> Iterator[Arrays]:
        return self.parts(file, streams.open(file.name), target)

    def warm(self) -> None:  # noqa: B027 (most have no kernels of their own)
        """Compile or load the kernels."""


class TextFormat(Format):
    """A format of documents that are text, or words that are strings."""

    kind = "text"

    @abstractmethod
    def documents(self, part: Fixed, wanted: Sequence[str], id_field: str | None) -> Documents:
        """The documents of a part. `wanted`: the fields; `id_field`: "" none, None "id" if it is there, otherwise its name.

        Raises DataError, with file and line, for bytes that are not UTF-8 and for records that are broken.
        """


class BagFormat(Format):
    """A format of documents that are numbers of words.

    exact       whether a vocabulary must have as many words as the files say: if not, it may have more
    """

    kind = "bag"
    exact: ClassVar[bool] = True

    @abstractmethod
    def first_word(self, part: Fixed) -> int:
        """The number that the file gives to word 0, which is called so where there is no vocabulary: 0 or 1."""

    @abstractmethod
    def words(self, part: Fixed) -> int:
        """How many words there are, or 0 where neither the file nor a vocabulary says it."""

    @abstractmethod
    def tokens(self, part: Fixed) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """The tokens of a part: (words int32, from 0, each as often as it counts; doc_ptr int64 [documents + 1]).

        Raises DataError, with file and line, for lines that are broken.
        """
