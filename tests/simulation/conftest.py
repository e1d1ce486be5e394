"""Worlds are many small objects: Python's collector is not to look through all that other tests have left each time."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _leave_out_what_is_there() -> Iterator[None]:
    gc.freeze()
    yield
    gc.unfreeze()
