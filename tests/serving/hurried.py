"""A loop for tests whose time is its own."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["Hurried"]


class Hurried(asyncio.SelectorEventLoop):
    """A loop in which time passes while everybody waits, and only then: nothing is late because a machine is slow."""

    def __init__(self) -> None:
        super().__init__()
        self.now, select = 0.0, self._selector.select  # type: ignore[attr-defined]

        def hurried(timeout: float | None) -> Any:
            found = select(None if timeout is None else 0)
            self.now += 0.0 if found else timeout or 0.0
            return found

        self._selector.select = hurried  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.now
