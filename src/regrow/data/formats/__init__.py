"""The formats of input files, in the order in which they are asked whether a file looks like theirs."""

from __future__ import annotations

from regrow.data.formats.bag import BAG
from regrow.data.formats.files import FILES
from regrow.data.formats.format import BagFormat, Format, TextFormat
from regrow.data.formats.jsonl import JSONL
from regrow.data.formats.ldac import LDAC
from regrow.data.formats.mallet import MALLET
from regrow.data.formats.matrixmarket import MATRIXMARKET
from regrow.data.formats.npz import NPZ
from regrow.data.formats.parquet import PARQUET
from regrow.data.formats.svmlight import SVMLIGHT, SVMLIGHT0, SVMLIGHT1
from regrow.data.formats.table import CSV, TSV
from regrow.data.formats.txt import TXT
from regrow.data.formats.vw import VW
from regrow.errors import UsageError

__all__ = ["ALL", "FORMATS", "bag_format", "named", "text_format"]

ALL: tuple[Format, ...] = (TXT, FILES, JSONL, CSV, TSV, MALLET, PARQUET, VW, BAG, LDAC, SVMLIGHT, SVMLIGHT0, SVMLIGHT1, MATRIXMARKET, NPZ)
FORMATS = tuple(format.name for format in ALL)
"""Their names, for --format."""


def named(name: str) -> Format:
    """The format with that name. Raises UsageError."""
    for format in ALL:
        if format.name == name:
            return format
    raise UsageError(f'there is no format "{name}"', f"--format is one of {', '.join(FORMATS)}")


def text_format(name: str) -> TextFormat:
    """The format with that name, which is one of text."""
    format = named(name)
    assert isinstance(format, TextFormat), f"{name} is no format of text"
    return format


def bag_format(name: str) -> BagFormat:
    """The format with that name, which is one of bags of words."""
    format = named(name)
    assert isinstance(format, BagFormat), f"{name} is no format of bags of words"
    return format
