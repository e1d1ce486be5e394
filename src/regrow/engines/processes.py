"""The processes of the engine `local`, from the coordinator's side: a fork server, the workers it forks, and workers that check."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regrow import errors
from regrow.coordinator.plan import Attempt

__all__ = ["CRASHES", "Server", "Worker", "how_it_ended", "spawn"]

ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "ARROW_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}
"""The environment of workers, fixed before the first import."""

CRASHES = {signal.SIGSEGV, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS}
"""Signals by which a process ends through a fault of what it ran."""

GONE = (BrokenPipeError, ConnectionResetError)


@dataclass(slots=True, eq=False)
class Worker:
    """A worker process."""

    name: str
    connection: socket.socket
    checks: bool = False
    pid: int | None = None
    process: subprocess.Popen[bytes] | None = None
    """Its process, if it was not forked by the server."""
    buffer: bytearray = field(default_factory=bytearray)
    ready: bool = False
    attempt: Attempt | None = None
    begun: bool = False
    since: float = 0.0
    """When its attempt began."""
    done: int = 0
    """Attempts that it brought to their end."""
    draining: bool = False
    hung_up: bool = False
    """Whether it was told that nothing more will come."""
    closed_at: float | None = None
    cause: str = ""
    cpu_at_start: float = 0.0
    cpu_reported: float = 0.0
    replaces: float | None = None
    """When its predecessor was lost."""

    def ask(self, asked: dict[str, Any]) -> None:
        """Send it one JSON line."""
        with contextlib.suppress(*GONE):
            self.connection.sendall(json.dumps(asked).encode() + b"\n")

    def hang_up(self) -> None:
        """Tell it that nothing more will come: it leaves when it has answered."""
        self.hung_up = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)

    def hear(self, *, wait: bool) -> list[dict[str, Any]] | None:
        """What it has said since; None if its connection is closed."""
        try:
            data = self.connection.recv(1 << 20, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except ConnectionResetError:
            return None
        if not data:
            return None
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        return [json.loads(line) for line in lines]


class Server:
    """The fork server of a job."""

    def __init__(self, job_file: Path) -> None:
        self.process, self.control = spawn("server", "0", job_file)
        self.ended = False
        self.cause = ""
        """Why it was killed, if we did that."""

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self.process.pid

    def await_ready(self) -> float:
        """Wait until the program is imported and its kernels are called; returns the seconds that took.

        Raises the error with which the program was refused.
        """
        packet = self._receive()
        if packet is None:
            how = how_it_ended(self.process.wait())
            raise errors.ProgramError(
                f"the program could not be made ready: the process that imports it and calls warm() ended ({how})",
                "what it said stands above",
            )
        if "refused" in packet:
            kind, message, advice = packet["refused"]
            raise getattr(errors, kind)(message, advice)
        return float(packet["warm"])

    def fork(self, name: str) -> socket.socket:
        """Let it fork a worker; returns the connection to that."""
        ours, theirs = socket.socketpair()
        command = json.dumps({"fork": name}).encode()
        with contextlib.suppress(*GONE):
            self.control.sendmsg([command], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [theirs.fileno()]))])
        theirs.close()
        return ours

    def kill(self, name: str) -> None:
        """Let it kill a worker that it forked: only it can tell that the process is still that one."""
        with contextlib.suppress(*GONE):
            self.control.sendall(json.dumps({"kill": name}).encode())

    def hear(self) -> dict[str, Any] | None:
        """The next fact that it tells; None if it has ended."""
        fact = self._receive()
        self.ended |= fact is None
        return fact

    def _receive(self) -> dict[str, Any] | None:
        try:
            data = self.control.recv(1 << 20)
        except ConnectionResetError:
            return None
        fact: dict[str, Any] | None = json.loads(data) if data else None
        return fact

    def close(self) -> None:
        """End it."""
        self.ended = True
        self.process.kill()
        self.process.wait()
        self.control.close()


def spawn(kind: str, hash_seed: str, job_file: Path) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a process of `forkserver`, in a session of its own: a Ctrl-C in the terminal is for the coordinator alone."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET if kind == "server" else socket.SOCK_STREAM)
    command = [sys.executable, "-P", "-m", "regrow.engines.forkserver", str(theirs.fileno()), kind, str(os.getpid()), str(job_file)]
    environment = {**os.environ, **ENVIRONMENT, "PYTHONHASHSEED": hash_seed}
    try:
        process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


def how_it_ended(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
