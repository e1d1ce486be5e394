"""Tiny inputs of every format, so that the kernels are compiled before the first worker starts."""

from __future__ import annotations

import numpy as np

from regrow.data.clicks.formats import TableFormat
from regrow.data.clicks.plan import Item, Plan
from regrow.data.clicks.registry import click_format
from regrow.data.clicks.table_kernels import CATEGORY
from regrow.packed import strings
from regrow.program import Fixed

__all__ = ["warm_format"]

LINES = {"libsvm": b"1 3:1\n", "libffm": b"1 0:3:1\n", "vw": b"1 |a b:2\n"}


def warm_format(name: str) -> None:
    """Read one row."""
    format = click_format(name)
    plan, text = Plan((), ()), LINES.get(name, b"")
    if isinstance(format, TableFormat):
        plan, text = Plan(("y", "a"), (Item("a", CATEGORY, (1,)),), 0), format.sample()
    if format.name == "parquet":  # which has the kernels of tables
        format = click_format("csv")
        text = b"1,a\n"
    part = Fixed({"text": np.frombuffer(text, np.uint8), "source": np.array([0, 1]), "file": strings(["warm"])})
    format.rows(part, plan, needs_label=True, skip=False)
