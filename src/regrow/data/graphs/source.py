"""What a graph's input is: its files, their formats, and which columns are the ends of an edge. Checked before anything is read whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from regrow.data.compression import bare_name
from regrow.data.formats.facts import SourceFile
from regrow.data.graphs.formats import GraphReader
from regrow.data.graphs.looking import Looked, look
from regrow.data.graphs.options import GraphOptions, check_options
from regrow.data.inputs import checked, found
from regrow.data.source import Source, check_encoding
from regrow.data.streams import Stream
from regrow.errors import DataError, UsageError

__all__ = ["GraphSource", "describe_graph"]


@dataclass(frozen=True)
class GraphSource(Source):
    """The frozen list of input files, and how each is read: JSON values all through.

    graph       files: what is known of each (see `Looked`), in their order; numbers: whether ids are whole numbers; nodes: how many the
                files declare, numbered from 1, or 0
    """

    graph: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """They are edges."""
        return "graph"

    @property
    def reader(self) -> GraphReader:
        """What reads them, each in its format."""
        return GraphReader({file.name: Looked.from_json(about) for file, about in zip(self.files, self.graph["files"], strict=True)})

    def to_json(self) -> dict[str, Any]:
        """This description as JSON values."""
        names = ("name", "bytes", "compressed", "header_lines")
        return {"format": self.format, "files": [{n: getattr(file, n) for n in names} for file in self.files], "graph": dict(self.graph)}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> GraphSource:
        """The description that `to_json` made."""
        return GraphSource(value["format"], tuple(SourceFile(**file) for file in value["files"]), graph=value["graph"])


def describe_graph(paths: Sequence[str], options: GraphOptions) -> tuple[GraphSource, GraphOptions]:
    """Look at the first lines of each file: what the input is, and the options with what they left open settled.

    Raises DataError for files that are missing, empty, or no edges; UsageError for options that do not fit.
    """
    check_options(options)
    files, about = [], []
    numbers = None if options.ids is None else options.ids == "number"
    for name in [input.name for input in found(paths)]:
        file, stream = _file(name)
        looked = look(name, _format_of(name, stream, options), stream, options, numbers)
        if numbers is None:
            numbers = looked.numbers
        files.append(replace(file, header_lines=looked.header_lines))
        about.append(looked)
    numbers = bool(numbers)
    declared = max((looked.nodes for looked in about), default=0)
    if declared and not numbers:
        raise UsageError("--ids text", "the nodes of Matrix Market files are numbers: leave it out")
    if options.names is not None:
        file, stream = _file(checked(options.names))
        if any(file.name == other.name for other in files):
            raise UsageError(f"--names {options.names} is one of the files of edges", "name the file of ids and names")
        own = replace(options, source=None, target=None, weight=None, header=None)
        looked = look(file.name, _format_of(file.name, stream, replace(own, format=None)), stream, own, numbers, names=True)
        files.append(replace(file, header_lines=looked.header_lines))
        about.append(looked)
    graph = {"files": [vars(looked) for looked in about], "numbers": numbers, "nodes": declared}
    return GraphSource("graph", tuple(files), graph=graph), replace(options, ids="number" if numbers else "text")


def _file(name: str) -> tuple[SourceFile, Stream]:
    size = os.path.getsize(name)
    if not size:
        raise DataError(f"{name} is empty", "a file of edges holds at least one line: leave it out, or fill it")
    stream = Stream(name)
    head = stream.head(1024)
    if not head.startswith(b"PAR1"):
        check_encoding(name, head)
    return SourceFile(name, size, bool(stream.compression)), stream


def _format_of(name: str, stream: Stream, options: GraphOptions) -> str:
    """By what was said, else by the name, else by the first bytes."""
    suffix = os.path.splitext(bare_name(name))[1].lower()
    head = stream.head(64)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head[:14].lower() == b"%%matrixmarket":
        return "edges" if options.format == "edges" else "matrixmarket"
    return options.format or {".parquet": "parquet", ".pq": "parquet", ".mtx": "matrixmarket"}.get(suffix, "edges")
