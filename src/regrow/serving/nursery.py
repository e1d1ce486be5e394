"""The process from which replicas are forked: kernels loaded once, so that a replica that is lost is replaced in milliseconds.

    python -P -m regrow.serving.nursery {"parent": 4711, "control": 5, "limits": {...}}

It loads what needs no model, so that it may be started while one is made ready. The first packet on the control socket, {"files"}, names
the tables with which it tries the kernels; it is answered. Each packet {"name", "files"}, with a pipe and one end of each lane
(`frames`), asks for a replica. It is forked twice, so that it becomes the child of the service, which adopts orphans (`adopt`): the
nursery may be lost, and costs no replica. The replica writes lines into the pipe: its number, then that it answers, or why it does not.
Everything here ends with the service, by the parent-death signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import json
import os
import signal
import socket
import sys
import time
from typing import Any

from regrow.engines.ending import be_killed_first, die_with
from regrow.engines.processes import ENVIRONMENT
from regrow.errors import DataError, RegrowError
from regrow.serving.frames import LANES

__all__ = ["Child", "Nursery", "adopt"]

_PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 15, 36
ADOPTED_SECONDS = 10.0
TRY_SECONDS, FORK_SECONDS = 120.0, 20.0
"""So long the nursery may take to load the kernels, and to begin a replica; then it counts as frozen, and is replaced."""


def adopt() -> None:
    """Become the parent of descendants whose own parent has ended."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Child:
    """A process of ours that asyncio did not start."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._descriptor, self._seen)
        self.code = 0

    def _seen(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        with contextlib.suppress(ChildProcessError):
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._descriptor)
        self._ended.set()

    async def wait(self) -> int:
        """Until it has ended; its exit code, below 0 for a signal."""
        await self._ended.wait()
        return self.code

    def kill(self) -> None:
        """End it."""
        if not self._ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)


class Nursery:
    """The nursery, from the service's side. It is started when it is needed, and again when it is lost."""

    def __init__(self, folder: str, limits: dict[str, Any]) -> None:
        self.folder, self.limits = folder, limits
        self._control: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._tried = False
        """Whether the kernels are loaded."""
        self._lock = asyncio.Lock()

    async def warm(self) -> None:
        """Start it, if it is not there."""
        async with self._lock:
            if self._process is None or self._process.returncode is not None:
                await self._start()

    async def fork(self, name: str, files: list[str]) -> tuple[Child, asyncio.StreamReader, asyncio.BaseTransport, list[socket.socket]]:
        """A replica on its way, what it will say, what to close then, and our ends of its lanes. Raises DataError."""
        async with self._lock:
            if not self._tried or self._process is None or self._process.returncode is not None:
                await self._try(files)
            assert self._control is not None
            ours, theirs = os.pipe()
            pairs = [socket.socketpair() for _ in range(LANES)]
            lanes = [pair[0] for pair in pairs]
            given = [theirs, *(pair[1].detach() for pair in pairs)]
            try:
                socket.send_fds(self._control, [json.dumps({"name": name, "files": files}).encode()], given)
            except OSError:
                os.close(ours)
                _close(lanes)
                await self.close()
                raise DataError("the nursery of replicas is lost", "it is started again") from None
            finally:
                for descriptor in given:
                    os.close(descriptor)
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", 0)
        )
        process = self._process
        try:
            async with asyncio.timeout(FORK_SECONDS):
                line = await reader.readline()
        except TimeoutError:
            transport.close()
            _close(lanes)
            async with self._lock:
                if self._process is process:  # else another one has seen it, too
                    await self.close()
            raise DataError(*_silent(FORK_SECONDS)) from None
        except BaseException:
            transport.close()
            _close(lanes)
            raise
        if not line:
            transport.close()
            _close(lanes)
            raise DataError("a replica ended before it had begun", "another one is started")
        return Child(int(json.loads(line)["pid"])), reader, transport, lanes

    async def _start(self) -> None:
        await self.close()
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        said = {"parent": os.getpid(), "control": theirs.fileno(), "limits": self.limits}
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "regrow.serving.nursery", json.dumps(said), pass_fds=[theirs.fileno()],
                env={**os.environ, **ENVIRONMENT}, cwd=self.folder, start_new_session=True, stdin=asyncio.subprocess.DEVNULL, stdout=2,
            )  # fmt: skip
        self._control = ours

    async def _try(self, files: list[str]) -> None:
        """Let it load the kernels. Raises DataError."""
        if self._process is None or self._process.returncode is not None:
            await self._start()
        assert self._control is not None
        loop, answer = asyncio.get_running_loop(), b""
        try:
            async with asyncio.timeout(TRY_SECONDS):
                await loop.sock_sendall(self._control, json.dumps({"files": files}).encode())
                answer = await loop.sock_recv(self._control, 1 << 16)
        except TimeoutError:
            await self.close()
            raise DataError(*_silent(TRY_SECONDS)) from None
        except OSError:
            pass  # it has ended
        told: dict[str, Any] = json.loads(answer) if answer else {"error": "the nursery of replicas ended", "advice": "see above"}
        if "error" in told:
            await self.close()
            raise DataError(told["error"], told["advice"])
        self._tried = True

    async def close(self) -> None:
        """End it; replicas stay."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None
        self._tried = False
        if self._control is not None:
            self._control.close()
            self._control = None


def _silent(seconds: float) -> tuple[str, str]:
    return f"the nursery of replicas has said nothing for {seconds:.0f} s: it is killed, and started again", "is it stopped? (SIGSTOP)"


def _close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def main() -> None:
    """Load, then fork whenever it is asked for."""
    said: dict[str, Any] = json.loads(sys.argv[1])
    die_with(said["parent"])
    control = socket.socket(fileno=said["control"])
    from regrow import rng
    from regrow.serving.limits import Limits
    from regrow.serving.replica import Replica

    rng.warm()  # the first kernel that is loaded takes as long as a hundred others
    limits = Limits(**said["limits"])
    packet = control.recv(1 << 16)
    if not packet:
        return
    try:
        Replica(json.loads(packet)["files"], limits)  # which loads the kernels
    except RegrowError as error:
        control.send(json.dumps({"error": error.message, "advice": error.advice}).encode())
        sys.exit(error.exit_code)
    gc.collect()
    gc.freeze()  # so that what is here stays shared
    control.send(b"{}")
    while True:
        packet, given, _, _ = socket.recv_fds(control, 1 << 16, 1 + LANES)
        if not packet:
            return
        between = os.fork()
        if not between:
            if not os.fork():
                control.close()
                _become(json.loads(packet), given[0], [socket.socket(fileno=lane) for lane in given[1:]], said["parent"], limits)
            os._exit(0)
        os.waitpid(between, 0)
        for descriptor in given:
            os.close(descriptor)


def _become(asked: dict[str, Any], pipe: int, lanes: list[socket.socket], parent: int, limits: Any) -> None:
    """Be a replica."""
    from regrow.serving.loops import run_loop
    from regrow.serving.replica import Replica, serve

    until = time.monotonic() + ADOPTED_SECONDS
    while os.getppid() != parent and time.monotonic() < until:
        time.sleep(0.0005)
    die_with(parent)
    be_killed_first()
    ctypes.CDLL(None).prctl(_PR_SET_NAME, asked["name"].encode()[:15], 0, 0, 0)
    with os.fdopen(pipe, "w") as out:
        print(json.dumps({"pid": os.getpid()}), file=out, flush=True)
        try:
            replica = Replica(asked["files"], limits)
        except RegrowError as error:
            print(json.dumps({"error": error.message, "advice": error.advice}), file=out, flush=True)
            os._exit(error.exit_code)
        run_loop(serve(replica, lanes, out))
    os._exit(0)


if __name__ == "__main__":
    main()
