"""The link from topics to clicks: a column of text becomes the topics of a topic model, and those become features.

A rare ad has few rows of its own, but its text has topics that many others have: another thing to fall back on. The topics of each row
(at most three, each at least a tenth of the text) are written beside it, as a column `topics`, in a copy of the file that moves into
the run.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from regrow.data import TextOptions
from regrow.data.clicks import ClickOptions
from regrow.data.compression import bare_name
from regrow.data.streams import Stream
from regrow.errors import DataError, UsageError
from regrow.launch import launch
from regrow.models.lda.specs import inference_spec
from regrow.models.lda.unseen.inference import Inference
from regrow.models.logistic.explaining import COLUMN
from regrow.running import Watcher
from regrow.spec import How
from regrow.store.model import read_model

__all__ = ["COLUMN", "with_topics", "with_topics_here"]

TOP, MIN_SHARE = 3, 0.1


@contextlib.contextmanager
def with_topics(
    files: Sequence[str], spooled: tuple[str, ...], options: ClickOptions, how: How
) -> Iterator[tuple[list[str], tuple[str, ...], ClickOptions]]:
    """The files with the column `topics`, those of them that were made here, and the options that read it; unchanged without --topics.

    Raises UsageError for files that are no csv or tsv, DataError for a topic model that is not the one of training.
    """
    if options.topics is None:
        yield list(files), spooled, options
        return
    if not options.text_field:
        raise UsageError("--topics needs to know where the text is", "name its column: --text-field COLUMN")
    digest = read_model(Path(options.topics)).digest
    if options.topics_digest and digest != options.topics_digest:
        raise DataError(f"the topic model {options.topics} is not the one of training", "put it back: features are its topics")
    with tempfile.TemporaryDirectory(prefix="regrow-topics-") as folder:
        made = [_beside(file, number, Path(folder), options, how) for number, file in enumerate(files)]
        multi = [text for text in options.multi if not text.startswith(f"{COLUMN}:")] + [f"{COLUMN}:|"]
        yield made, (*spooled, *made), replace(options, multi=multi, topics_digest=digest, topics=str(Path(options.topics).absolute()))


@contextlib.contextmanager
def with_topics_here(file: str, options: ClickOptions) -> Iterator[str]:
    """As `with_topics`, for one small file, in this process."""
    with with_topics([file], (), options, How("inline", verify=False)) as (names, _, _):
        yield names[0]


def _beside(file: str, number: int, folder: Path, options: ClickOptions, how: How) -> str:
    """A copy of a table, with the topics of each row's text behind it."""
    bare = bare_name(file)
    delimiter = {".csv": ",", ".tsv": "\t", ".tab": "\t"}.get(os.path.splitext(bare)[1])
    if delimiter is None or options.header == "no":
        raise UsageError(f"--topics with {file}", "it takes csv and tsv files with a header")
    asked = TextOptions(format="csv" if delimiter == "," else "tsv", text_field=options.text_field, id_field="")
    spec = inference_spec(Path(str(options.topics)), [file], Inference({}, top=TOP, min_share=MIN_SHARE), options=asked)
    lines = io.BytesIO()
    launch(spec, how, None, _Into(lines))
    told = (json.loads(line) for line in lines.getvalue().splitlines())
    path = folder / f"{number}-{os.path.basename(bare)}"
    with open(path, "w", encoding="utf-8", newline="") as out:
        quoting = {"quoting": csv.QUOTE_NONE, "quotechar": None} if delimiter == "\t" else {}
        reader = csv.reader(_lines(file), delimiter=delimiter, **quoting)  # type: ignore[arg-type]
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", **quoting)  # type: ignore[arg-type]
        header = next(reader)
        if COLUMN in header:
            raise DataError(f'{file}, line 1: there is a column "{COLUMN}" already', "rename it")
        writer.writerow([*header, COLUMN])
        for row in reader:
            if row:
                topics = next(told, None)
                if topics is None:
                    raise DataError(f"{file}: more rows than texts", "is every row one record?")
                writer.writerow([*row, "|".join(f"t{k}" for k, _ in topics["topics"])])
    return str(path)


class _Into(Watcher):
    """Lines that are kept in memory."""

    def __init__(self, lines: io.BytesIO) -> None:
        self._lines = lines

    def output(self, lines: bytes) -> None:
        self._lines.write(lines)


def _lines(file: str) -> Iterator[str]:
    left = b""
    for block in Stream(file).blocks():
        *whole, left = (left + block).split(b"\n")
        yield from (line.decode("utf-8") + "\n" for line in whole)
    if left:
        yield left.decode("utf-8")
