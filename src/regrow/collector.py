"""Python's collector of circles while a coordinator is at work.

A coordinator makes no circles: what it lets go of is freed at once, and what it remembers are millions of small objects. Left as it is,
the collector looks through all of them again whenever a quarter of them are new, which takes a fifth of the time at 10^5 workers. It stays
on, for libraries in the process make circles: it looks at what is new as before, only in larger heaps, and at all the rest seldom. Where
somebody else's code runs in the same process (tasks, `inline`), it stays as it is: who knows what that leaves behind.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["calm"]

THRESHOLDS = (50_000, 20, 100)
"""So many new objects before those are looked at; so often before those that were left; and so often before all are."""


@contextlib.contextmanager
def calm(*, others: bool = False) -> Iterator[None]:
    """While a coordinator is at work, and no code of others in its process; afterwards all is as it was."""
    before = gc.get_threshold()
    if before[0] and not others:  # 0: somebody has turned it off
        gc.set_threshold(*(max(pair) for pair in zip(before, THRESHOLDS, strict=True)))
    try:
        yield
    finally:
        gc.set_threshold(*before)
