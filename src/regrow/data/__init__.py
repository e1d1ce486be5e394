"""Inputs -> partitions: text and bags of words become tokens, and tokens become the grid that models read.

    describe(paths, options) -> Source      look at the files, check them
    ingest(source, sink, progress)          files -> parts of the layout "text" (and "words"), as a stream
    tokens_program(source, options)         the program "text" -> "tokens" and "vocabulary"
    Grid(*default_grid(tokens, topics))     the program "tokens", "vocabulary" -> "rows", "columns", "vocabulary"
    content_digest(paths)                   whether the input is still the same, before anything is parsed

The two programs run on the engine as any other, so preparing survives what training survives.
"""

from regrow.data.bag import BagTokens
from regrow.data.continuing import Again, Renumber
from regrow.data.grid import Grid, default_grid
from regrow.data.ingest import Ingested, ingest, part_bytes
from regrow.data.inputs import frozen
from regrow.data.prepare import tokens_program
from regrow.data.source import FORMATS, Source, SourceFile, TextOptions, describe
from regrow.data.streams import content_digest
from regrow.data.text import TextTokens

__all__ = [
    "FORMATS",
    "Again",
    "BagTokens",
    "Grid",
    "Ingested",
    "Renumber",
    "Source",
    "SourceFile",
    "TextOptions",
    "TextTokens",
    "content_digest",
    "default_grid",
    "describe",
    "frozen",
    "ingest",
    "part_bytes",
    "tokens_program",
]
