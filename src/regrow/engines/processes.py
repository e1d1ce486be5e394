"""The processes of the engine `local`, from the coordinator's side: a fork server, the workers it forks, and workers that check."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regrow import errors

if TYPE_CHECKING:
    from regrow.coordinator.plan import Attempt

__all__ = ["Server", "ServerEnded", "Worker", "end_of", "how_it_ended", "spawn", "spawn_with"]

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
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 26),
}
"""The environment of workers, fixed before the first import. The last two keep up to 64 MiB from one task to the next, as the C library
comes to do by itself once it has seen large arrays: to get memory from the kernel anew, page by page, costs more than most of what is done
with it."""

GONE = (BrokenPipeError, ConnectionResetError)
UNREAD_SECONDS = 30
"""So long a fork server may leave unread what it is asked, when hundreds of workers are asked for at once."""


class ServerEnded(Exception):
    """A fork server ended before it was ready; taken_away: it was killed, as by somebody else."""

    def __init__(self, how: str, *, taken_away: bool = False) -> None:
        super().__init__(how)
        self.taken_away = taken_away


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
    over_budget: bool = False
    """Whether it was killed because all workers together take too much memory."""
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

    def __init__(self, job_file: Path, stderr: int | None = None) -> None:
        """stderr: where what programs print goes; None: where ours goes."""
        self.process, self.control = spawn("server", "0", job_file, stderr)
        self.control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", UNREAD_SECONDS, 0))
        self.ended = False
        self.cause = ""
        """Why it was killed, if we did that."""
        self.environment: dict[str, str] = {}
        """What it, and whoever it forks, runs in; known when it is ready."""

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self.process.pid

    def await_ready(self) -> float:
        """Wait until the program is imported and its kernels are called; returns the seconds that took.

        Raises the error with which the program was refused, or ServerEnded.
        """
        packet = self._receive()
        if packet is None:
            code = self.process.wait()
            raise ServerEnded(self.cause or how_it_ended(code), taken_away=bool(self.cause) or -code in (signal.SIGKILL, signal.SIGTERM))
        if "refused" in packet:
            kind, message, advice = packet["refused"]
            raise getattr(errors, kind)(message, advice)
        self.environment = packet["environment"]
        return float(packet["warm"])

    def said(self, seconds: float) -> bool:
        """Whether it says something, or ends, within so many seconds."""
        return bool(select.select([self.control], [], [], seconds)[0])

    def fork(self, name: str) -> socket.socket:
        """Let it fork a worker; returns the connection to that."""
        ours, theirs = socket.socketpair()
        self.fork_with(name, theirs)
        return ours

    def fork_with(self, name: str, theirs: socket.socket) -> None:
        """Let it fork a worker that speaks over this connection, which is closed here."""
        with theirs:
            self._say({"fork": name}, theirs.fileno())

    def kill(self, name: str) -> None:
        """Let it kill a worker that it forked: only it can tell that the process is still that one."""
        self._say({"kill": name})

    def _say(self, command: dict[str, str], *descriptors: int) -> None:
        """Say something. That it has ended is heard in a moment; one that does not read is ended: nobody is to wait for it for ever."""
        try:
            if not self.ended:
                passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))] if descriptors else []
                self.control.sendmsg([json.dumps(command).encode()], passed)
        except BlockingIOError:
            self.cause = self.cause or f"it has read nothing for {UNREAD_SECONDS} s"
            self.process.kill()
        except GONE:
            return

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


def spawn(kind: str, hash_seed: str, job_file: Path, stderr: int | None = None) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a process of `forkserver`, in a session of its own: a Ctrl-C in the terminal is for the coordinator alone."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET if kind == "server" else socket.SOCK_STREAM)
    try:
        return spawn_with(theirs, kind, hash_seed, job_file, stderr), ours
    except BaseException:
        ours.close()
        raise


def spawn_with(theirs: socket.socket, kind: str, hash_seed: str, job_file: Path, stderr: int | None = None) -> subprocess.Popen[bytes]:
    """The same with a connection of the caller's, which is closed here."""
    command = [sys.executable, "-P", "-m", "regrow.engines.forkserver", str(theirs.fileno()), kind, str(os.getpid()), str(job_file)]
    environment = {**os.environ, **ENVIRONMENT, "PYTHONHASHSEED": hash_seed}
    with theirs:
        return subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=2 if stderr is None else stderr,
            stderr=stderr,
            start_new_session=True,
        )


def end_of(code: int) -> str:
    """The name of the signal that ended a process, or "exit"."""
    if code >= 0:
        return "exit"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def how_it_ended(code: int) -> str:
    """How a process ended, in words."""
    return f"exit code {code}" if code >= 0 else f"killed by {end_of(code)}"
