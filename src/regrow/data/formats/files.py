"""Files of plain text: each file is a document, as for `mallet import-dir` and scikit-learn's `load_files`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from regrow.data.formats.facts import Documents, SourceFile, undecodable
from regrow.data.formats.format import Arrays, TextFormat
from regrow.data.readonly import read_only
from regrow.data.streams import Stream, Streams
from regrow.packed import Strings, strings
from regrow.program import Fixed

__all__ = ["FILES"]


class Files(TextFormat):
    """A document's name is that of its file, from the directory that was named. An empty file is a document without words."""

    name = "files"
    blank = True

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """One file alone."""
        return self.read([file], Streams(), target)

    def read(self, files: Sequence[SourceFile], streams: Streams, target: int) -> Iterator[Arrays]:
        """Parts of about `target` bytes of many files: a newline after each.

        `ends` int64 [documents]: where each ends; `file`: the name of each; `name_starts` int64 [documents]: the bytes of it
        that are the directory.
        """
        held: list[bytes] = []
        size = first = 0
        for number, file in enumerate(files):
            text = b"".join(streams.open(file.name).blocks())
            held.append(text)
            size += len(text) + 1
            if size >= target or number + 1 == len(files):
                yield _part(files[first : number + 1], held, first)
                streams.lines += len(held)
                held, size, first = [], 0, number + 1

    def lines(self, arrays: Arrays) -> int:
        """One for each document."""
        return len(arrays["ends"])

    def documents(self, part: Fixed, wanted: Sequence[str], id_field: str | None) -> Documents:
        """As they are."""
        text, ends = read_only(part["text"]), read_only(part["ends"])
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])[: len(ends)]
        try:
            text.tobytes().decode("utf-8")
        except UnicodeDecodeError as error:
            bad = int(np.searchsorted(ends, error.start))
            data = text[starts[bad] : ends[bad]].tobytes()
            try:
                data.decode("utf-8")
            except UnicodeDecodeError as inside:
                raise undecodable(part["file"][bad], data, inside, 1) from inside
        ids = None if id_field == "" else _ids(part["file"], read_only(part["name_starts"]))
        return Documents(text, starts, ends, 1, ids=ids)


def _part(files: Sequence[SourceFile], texts: Sequence[bytes], first: int) -> Arrays:
    return {
        "text": np.frombuffer(b"\n".join(texts) + b"\n", np.uint8),
        "ends": np.cumsum([len(text) + 1 for text in texts], dtype=np.int64) - 1,
        "file": strings(file.name for file in files),
        "name_starts": np.array([len(file.root.encode()) for file in files], np.int64),
        "source": np.array([first, 1], np.int64),
    }


def _ids(names: Strings, begins: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Strings:
    """The names without their directories."""
    data = bytes(names.utf8)
    return strings(
        data[start + begin : end].decode("utf-8")
        for start, begin, end in zip(names.offsets[:-1].tolist(), begins.tolist(), names.offsets[1:].tolist(), strict=True)
    )


FILES = Files()
