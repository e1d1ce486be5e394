"""Several files are read at the same time, and what comes of them is taken in their order.

Decompressing and hashing leave the interpreter's lock alone, so threads are enough. Each is ahead by a few parts at most: memory
stays bounded, and what is taken does not depend on how many read.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

__all__ = ["ahead"]

T = TypeVar("T")

PARTS_AHEAD = 2
"""Parts of a file that wait to be taken."""
_END = object()


class _Reader(threading.Thread):
    """One file, read ahead until its queue is full."""

    def __init__(self, parts: Iterator[object]) -> None:
        super().__init__(daemon=True)
        self._parts = parts
        self._queue: queue.Queue[object] = queue.Queue(PARTS_AHEAD)
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            for part in self._parts:
                if not self._put(part):
                    return
        except BaseException as error:
            self._error = error
        self._put(_END)

    def _put(self, part: object) -> bool:
        """Wait for room; False if nobody wants more."""
        while not self._stopped.is_set():
            try:
                self._queue.put(part, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def taken(self) -> Iterator[object]:
        """The parts, as they come. What the file's reading raised is raised here."""
        while (part := self._queue.get()) is not _END:
            yield part
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Nobody wants more."""
        self._stopped.set()
        self.join()


def ahead(makers: Sequence[Callable[[], Iterable[T]]], readers: int) -> Iterator[Iterator[T]]:
    """For each maker, in order, the iterator of what it makes; up to `readers` of them are at work at a time, while whoever takes works on
    what is there already.

    Each iterator must be taken to its end before the next. With one reader nothing is read ahead.
    """
    if readers <= 1:
        for make in makers:
            yield iter(make())
        return
    left, working = deque(makers), deque[_Reader]()
    try:
        while left or working:
            while left and len(working) < readers:
                working.append(_Reader(iter(left.popleft()())))
            yield working[0].taken()  # type: ignore[misc]
            working.popleft()
    finally:
        for reader in working:
            reader.stop()
