"""How a run is spoken to while it goes on: a Unix socket in its directory, one JSON line asked, one answered.

    {"do": "scale", "workers": 4}       so many workers from now on; 0: wait
    {"do": "join"}                      one more
    {"do": "drain", "worker": NAME}     this one finishes what it does and leaves, and is not replaced
    {"do": "stop"}                      pause, as SIGTERM does
    {"do": "look"}                      who is there, and at what

    -> {"done": {...}}, or {"error": what, "advice": what to do}

The socket's file permissions say who may: nobody but the owner of the run. A thread listens, so that a run answers also while it
reads its input; what concerns the workers is done by the thread that steers the engine, between two events.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as TooLong
from pathlib import Path
from typing import Any

from regrow.engines.base import Engine
from regrow.errors import RegrowError, UsageError
from regrow.interrupts import Interrupts

__all__ = ["SOCKET", "WORKERS_MAX", "Control", "ask"]

SOCKET = "control"
WORKERS_MAX = 4096
ANSWER_SECONDS = 20.0
"""How long an engine may take for a request: it answers between two events."""
LINE_BYTES_MAX = 65536


class Control:
    """The listening end, for as long as a coordinator works on the run.

    workers     how many are wanted now
    changed     is told that number whenever it changes
    """

    def __init__(self, run: Path, workers: int, interrupts: Interrupts, changed: Callable[[int], None], *, elastic: bool) -> None:
        self.run, self.workers, self._interrupts, self._changed, self._elastic = run, workers, interrupts, changed, elastic
        self._engine: Engine | None = None
        self._asked = False
        """Whether somebody has asked for another number of workers."""
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Answer. Where there can be no socket the run goes on without."""
        self._listener = _bind(self.run)
        thread = threading.Thread(target=self._listen, daemon=True)
        thread.start()
        try:
            yield
        finally:
            if self._listener is not None:
                with contextlib.suppress(OSError):
                    self._listener.shutdown(socket.SHUT_RDWR)
                thread.join()
                self._listener.close()
                (self.run / SOCKET).unlink(missing_ok=True)

    @contextlib.contextmanager
    def steering(self, engine: Engine) -> Iterator[None]:
        """Requests, and signals, are for this engine."""
        with self._lock:
            self._engine = engine
            if self._elastic and self._asked:
                engine.scale(self.workers)  # it may have changed while the engine was started
        try:
            with self._interrupts.steering(engine):
                yield
        finally:
            with self._lock:
                self._engine = None

    # Requests

    def _listen(self) -> None:
        while self._listener is not None:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(ANSWER_SECONDS)
            for line in connection.makefile("rb"):
                connection.sendall(json.dumps(self._answer(line)).encode() + b"\n")

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            verb = VERBS.get(asked["do"]) if isinstance(asked, dict) and isinstance(asked.get("do"), str) else None
            if verb is None:
                raise UsageError("not understood", f'ask {{"do": one of {", ".join(VERBS)}}}')
            return {"done": verb(self, asked)}
        except ValueError:
            return {"error": "no JSON", "advice": "one JSON object a line"}
        except RegrowError as error:
            return {"error": error.message, "advice": error.advice}
        except OSError as error:
            return {"error": f"{error.strerror}", "advice": "see to the machine, then ask again"}

    def _scale(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        workers = asked.get("workers")
        if not isinstance(workers, int) or isinstance(workers, bool) or not 0 <= workers <= WORKERS_MAX:
            raise UsageError(f"{workers} workers", f"a number from 0 to {WORKERS_MAX}")
        return self._set(lambda _: workers)

    def _join(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return self._set(lambda now: min(now + 1, WORKERS_MAX))

    def _set(self, count: Callable[[int], int]) -> dict[str, Any]:
        """Another number of workers, for this engine and those of the stages to come."""
        if not self._elastic:
            raise UsageError("the engine inline has one worker, the process itself", "pause the run and resume it with --engine local")
        with self._lock:
            before, self.workers, self._asked = self.workers, count(self.workers), True
            wanted, engine = self.workers, self._engine
            self._changed(wanted)
        self._do(engine, lambda: engine.scale(wanted) if engine else None)
        return {"workers": wanted, "before": before}

    def _drain(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        engine, name = self._engine, str(asked.get("worker"))
        if engine is None:
            raise UsageError("no workers are there yet", "try again when the run has begun its next stage")
        drained = self._do(engine, lambda: engine.drain(name))
        if drained is None:
            raise UsageError("the stage has just ended, and its workers with it", "look again: regrow top")
        with self._lock:
            self.workers = max(0, self.workers - 1)
            self._changed(self.workers)
        return {"worker": name, "workers": self.workers}

    def _stop(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._interrupts.stop("asked to stop")
        return {}

    def _look(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        engine = self._engine
        crew = self._do(engine, lambda: engine.crew() if engine else [])
        return {"process": os.getpid(), "workers": self.workers, "crew": crew or []}

    def _do(self, engine: Engine | None, what: Callable[[], Any]) -> Any:
        """Let the engine's thread do something; None if there is no engine, or its stage has just ended."""
        if engine is None:
            return None
        try:
            return engine.call(what).result(ANSWER_SECONDS)
        except CancelledError:
            return None
        except TooLong:
            raise UsageError(f"no answer within {ANSWER_SECONDS:.0f} s", "the coordinator is busy or stopped: try again") from None


VERBS: Mapping[str, Callable[[Control, Mapping[str, Any]], dict[str, Any]]] = {
    "scale": Control._scale,
    "join": Control._join,
    "drain": Control._drain,
    "stop": Control._stop,
    "look": Control._look,
}


@contextlib.contextmanager
def _address(run: Path) -> Iterator[str]:
    """A name of the socket that is short enough, however deep the run lies: an address has room for 107 bytes."""
    descriptor = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


def _bind(run: Path) -> socket.socket | None:
    listener = socket.socket(socket.AF_UNIX)
    try:
        (run / SOCKET).unlink(missing_ok=True)  # left by a coordinator that was killed: we hold the lock
        with _address(run) as address:
            listener.bind(address)
        os.chmod(run / SOCKET, 0o600)
        listener.listen(16)
    except OSError:
        listener.close()
        return None
    return listener


def ask(run: Path, do: str, **values: Any) -> dict[str, Any] | None:
    """Ask the coordinator of a run; None if there is none. Raises UsageError if it refuses or does not answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS + 5)
        try:
            with _address(run) as address:
                connection.connect(address)
        except OSError:
            return None
        try:
            connection.sendall(json.dumps({"do": do, **values}).encode() + b"\n")
            line = connection.makefile("rb").readline()
        except TimeoutError:
            raise UsageError(f"the coordinator of {run} does not answer", "is it stopped? see: regrow status") from None
        except OSError:
            return None
    if not line:
        return None
    answer = json.loads(line)
    if "error" in answer:
        raise UsageError(answer["error"], answer["advice"])
    found: dict[str, Any] = answer["done"]
    return found
