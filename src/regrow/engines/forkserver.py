"""The process from which the workers of `local` are forked: program imported, kernels compiled and called, no threads.

    python -P -m regrow.engines.forkserver FD server PARENT JOB    a server: forks a worker for each "fork" on its socket FD
    python -P -m regrow.engines.forkserver FD worker PARENT JOB    a worker by itself: for checks under another hash seed

PARENT is the process that started it, JOB the file that holds the job. Everything ends with the coordinator: on end-of-file
of the socket, and by the parent-death signal if it was killed.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from regrow.engines.ending import be_killed_first, die_with
from regrow.errors import RegrowError
from regrow.job import Job
from regrow.traces import users_trace
from regrow.worker import Workshop, serve

__all__ = ["main"]


class ForkServer:
    """Forks workers, and reports how each ended and what CPU time it took."""

    def __init__(self, control: socket.socket, shop: Workshop) -> None:
        self._control, self._shop = control, shop
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._pidfds: dict[str, int] = {}
        self._untold: deque[bytes] = deque()
        """Facts for which there was no room in the socket: whoever asks for much at once hears nothing meanwhile, and is not waited for."""

    def run(self) -> None:
        """Serve until the control socket closes."""
        while True:
            for key, ready in self._selector.select():
                if key.fileobj is not self._control:
                    self._ended(key.fd, *key.data)
                    continue
                if ready & selectors.EVENT_WRITE:
                    self._tell_on()
                if ready & selectors.EVENT_READ and not self._command():
                    return

    def _command(self) -> bool:
        """One packet, one command."""
        data, ancillary, _, _ = self._control.recvmsg(65536, socket.CMSG_LEN(array.array("i", [0]).itemsize))
        if not data:
            return False
        command: dict[str, str] = json.loads(data)
        if "kill" in command:
            pidfd = self._pidfds.get(command["kill"])
            if pidfd is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        else:
            [(_, _, packed)] = ancillary
            descriptor = array.array("i", packed)[0]
            os.set_inheritable(descriptor, False)
            self._fork(command["fork"], descriptor)
        return True

    def _fork(self, name: str, descriptor: int) -> None:
        server = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # a notice waits until the worker can answer it: see `serve`
        try:
            pid = os.fork()
            if pid == 0:
                self._become_worker(server, descriptor)
            pidfd = os.pidfd_open(pid)
        except OSError as error:  # too many processes, or open files
            self._tell({"unforked": name, "errno": error.errno})
            return
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            os.close(descriptor)
        self._pidfds[name] = pidfd
        self._selector.register(pidfd, selectors.EVENT_READ, (name, pid))
        self._tell({"forked": name, "pid": pid})

    def _become_worker(self, server: int, descriptor: int) -> None:
        """In the child: keep nothing of the server's but its memory, serve, and leave without cleaning up."""
        status = 1
        try:
            die_with(server)
            be_killed_first()
            self._control.close()
            self._selector.close()
            for pidfd in self._pidfds.values():
                os.close(pidfd)
            serve(socket.socket(fileno=descriptor), self._shop)
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _ended(self, pidfd: int, name: str, pid: int) -> None:
        self._selector.unregister(pidfd)
        os.close(pidfd)
        del self._pidfds[name]
        _, status, usage = os.wait4(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._tell({"ended": name, "code": code, "cpu": usage.ru_utime + usage.ru_stime})

    def _tell(self, fact: dict[str, Any]) -> None:
        self._untold.append(json.dumps(fact).encode())
        self._tell_on()

    def _tell_on(self) -> None:
        """Say what there is room for, each in its turn; the rest when there is room again."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, BlockingIOError):
            while self._untold:
                self._control.send(self._untold[0], socket.MSG_DONTWAIT)
                self._untold.popleft()
        self._selector.modify(self._control, selectors.EVENT_READ | (selectors.EVENT_WRITE if self._untold else 0))


def main() -> None:
    """Load the job, warm its kernels, then serve."""
    die_with(int(sys.argv[3]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    os.dup2(2, 1)  # what a task prints is no result
    began = time.monotonic()
    job = Job.from_json(json.loads(Path(sys.argv[4]).read_bytes()))
    try:
        shop = Workshop(job)
        shop.warm()
    except RegrowError as error:
        _refuse(control, type(error).__name__, error.message, error.advice)
        return
    except Exception as error:
        _refuse(control, "ProgramError", f"{job.program} cannot be made ready\n{users_trace(error)}", "")
        return
    if sys.argv[2] == "worker":
        be_killed_first()
        serve(control, shop)
        return
    gc.collect()
    gc.freeze()
    with contextlib.suppress(BrokenPipeError):
        control.send(json.dumps({"warm": time.monotonic() - began, "environment": shop.environment}).encode())
    ForkServer(control, shop).run()


def _refuse(control: socket.socket, kind: str, message: str, advice: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        control.send(json.dumps({"refused": [kind, message, advice]}).encode() + b"\n")


if __name__ == "__main__":
    main()
