"""What is known of input files: the options, the facts of each file, and the documents of a part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.errors import DataError, UsageError
from regrow.packed import Strings

__all__ = ["Documents", "SourceFile", "TextOptions", "asked_fields", "shown_line", "shown_names", "undecodable"]


@dataclass(frozen=True)
class TextOptions:
    """What a user may say of text and of its words.

    format          one of FORMATS; None: by the files' names and first lines
    text_field      formats with fields: one field or several, separated by commas; None: "text"
    vocabulary      bags: the file with one word per line, or a gensim dictionary saved as text
    lower           whether words are put into lower case
    stop_words      "english", or a file of words separated by white space
    min_count       words with fewer occurrences are dropped: none by default
    max_doc_share   words in a larger share of the documents are dropped
    token_pattern   a regular expression of Python for a word; None: the built-in words
    id_field        the field with the documents' names; None: "id" if the records have it; "": do not look
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

    bytes       on disk; compressed: whether they are
    header_lines    lines before the first record
    columns     csv, tsv: the wanted columns, from 0; width: the least number of columns; id_column: that of the documents' names, or -1;
                fields: how many the first line has
    documents, words, triples    bags: what the header says
    root        the directory in which the file was found, if it was not named itself
    first_word      bags: the number that the file gives to the first word
    mirrored    Matrix Market: what the value at (j, i) is of that at (i, j): 0 nothing, 1 the same (symmetric), -1 less than nothing (skew)
    """

    name: str
    bytes: int
    compressed: bool = False
    header_lines: int = 0
    columns: tuple[int, ...] = ()
    width: int = 1
    fields: int = 0
    id_column: int = -1
    documents: int = 0
    words: int = 0
    triples: int = 0
    root: str = ""
    first_word: int = 1
    mirrored: int = 0


@dataclass(frozen=True)
class Documents:
    """Documents of a part: document d is the pieces `text[starts[i]:ends[i]]` for the `per_document` i from d * per_document.

    text        uint8, valid UTF-8; starts, ends: int64
    quoted      whether a quote inside a piece is written twice
    words_given     whether the words are given: then they are separated by one zero byte each, and taken as they are
    ids         one for each document ("" where one has none), if someone asked for them and there are any
    """

    text: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    per_document: int
    quoted: bool = False
    words_given: bool = False
    ids: Strings | None = None

    def __len__(self) -> int:
        return len(self.starts) // self.per_document

    def texts(self) -> list[str]:
        """The documents as strings; pieces of one are joined by a space (given words by a zero byte)."""
        data = self.text.tobytes()
        pieces = [data[start:end].decode("utf-8") for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]
        if self.quoted:
            pieces = [piece.replace('""', '"') for piece in pieces]
        step = self.per_document
        between = "\0" if self.words_given else " "
        return pieces if step == 1 else [between.join(pieces[i : i + step]) for i in range(0, len(pieces), step)]


def asked_fields(text_field: str | None) -> tuple[str, ...]:
    """The fields that --text-field names. Raises UsageError."""
    fields = tuple(field.strip() for field in (text_field or "text").split(","))
    if not all(fields) or len(set(fields)) < len(fields):
        raise UsageError(
            f'--text-field "{text_field}" names an empty field, or one twice', "give names separated by commas, e.g. title,abstract"
        )
    return fields


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


def shown_names(names: Sequence[str]) -> str:
    """Names of fields for a message: the first twenty."""
    return ", ".join(name if len(name) <= 40 else f"{name[:37]}..." for name in names[:20]) + (", ..." if len(names) > 20 else "")
