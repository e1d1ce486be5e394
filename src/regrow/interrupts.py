"""Signals pause a run: SIGINT, SIGTERM and SIGHUP once; a second one ends the process at once, and leaves the run to `resume`."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from regrow.engines.base import Engine
from regrow.engines.ray_folder import left_behind
from regrow.errors import Paused

__all__ = ["Interrupts"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Where a signal goes: to the engine that is being steered; else it raises Paused, where that breaks nothing."""

    def __init__(self, run: Path | None) -> None:
        """run: what is interrupted, of which the advice speaks; None if there is nothing to go on with."""
        self._run = run
        self._cause = ""
        self._engine: Engine | None = None
        self._shields = 0

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Catch signals. Those that are ignored (`nohup`) stay so; outside the main thread the caller's own ways hold."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        ours = [number for number in SIGNALS if before[number] != signal.SIG_IGN]
        for number in ours:
            signal.signal(number, self._heard)
        try:
            yield
        finally:
            for number in ours:
                signal.signal(number, before[number])

    def _heard(self, number: int, _: object) -> None:
        if self._cause:
            for folder in left_behind():
                os.write(2, f"regrow: the logs of Ray are in {folder}, until regrow starts Ray here again\n".encode())
            os._exit(130)
        self._cause = f"interrupted by {signal.Signals(number).name}"
        if self._engine is not None:
            self._engine.interrupt(self._cause)
        elif not self._shields:
            raise self._paused()

    def stop(self, cause: str) -> None:
        """Somebody asks the run to pause (from another thread): at once if an engine is steered, else where that breaks nothing."""
        if not self._cause:
            self._cause = cause
            engine = self._engine
            if engine is not None:
                engine.interrupt(cause)

    @contextlib.contextmanager
    def steering(self, engine: Engine) -> Iterator[None]:
        """A signal asks this engine to stop; afterwards it is for whoever it was for before."""
        before, self._engine = self._engine, engine
        if self._cause and before is not engine:
            engine.interrupt(self._cause)
        try:
            yield
        finally:
            self._engine = before

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """A signal waits: what happens here must not be left half done."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1

    def check(self) -> None:
        """Raise Paused if a signal came while it had to wait."""
        if self._cause:
            raise self._paused()

    def _paused(self) -> Paused:
        if self._run is None:
            return Paused(self._cause, "")
        begun = (self._run / "run.json").exists()
        return Paused(self._cause, f"go on with it: regrow resume {self._run}" if begun else "begin again: nothing was done yet")
