"""`regrow serve`: fleet, supervisor, router, and their end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import json
import os
import resource
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regrow.errors import RegrowError, UsageError
from regrow.serving.connections import Connections
from regrow.serving.conversation import listening
from regrow.serving.first import Hedge
from regrow.serving.fleet import Fleet, Model
from regrow.serving.following import Following
from regrow.serving.guarding import is_loopback, private_folder
from regrow.serving.limits import Limits
from regrow.serving.loops import run_loop
from regrow.serving.metrics import Metrics
from regrow.serving.remotes import Remotes
from regrow.serving.router import Router
from regrow.serving.supervisor import Supervisor

__all__ = ["Asked", "run"]


@dataclass(frozen=True)
class Asked:
    """What a service is to be.

    model, replicas     a run or model folder, and how many processes of this machine answer for it
    follow      whether models that are newly published there are taken up
    remote      URLs of services that answer instead; remote_token: for them
    host, port  where it listens; port 0: any
    token       that is asked for; "": none
    mode, extra     of hedging
    """

    model: Path | None
    replicas: int = 2
    remote: tuple[str, ...] = ()
    remote_token: str = ""
    follow: bool = False
    host: str = "127.0.0.1"
    port: int = 8000
    token: str = ""
    mode: str = "hedge"
    copies: int = 2
    extra: float = 0.10
    as_json: bool = False
    limits: Limits = field(default_factory=Limits)


def run(asked: Asked) -> None:
    """Serve until a signal ends it. Raises RegrowError if it cannot begin, KeyboardInterrupt if a signal came before it had begun."""
    with private_folder() as folder:
        service = _Service(asked, folder)
        run_loop(service.run())
        if not service.served:
            raise KeyboardInterrupt  # like any command that is interrupted before it has done anything


def tell(text: str) -> None:
    """A line for people."""
    print(text, file=sys.stderr, flush=True)


class _Service:
    """One service."""

    def __init__(self, asked: Asked, folder: Path) -> None:
        self.asked = asked
        self.fleet = Fleet(Hedge(asked.mode, copies=asked.copies, extra=asked.extra))
        self.supervisor = Supervisor(self.fleet, folder, asked.limits, tell)
        self.connections = Connections(asked.limits)
        self.metrics = Metrics(self.fleet, self.connections)
        self.metrics.restarts, self.metrics.facts = self.supervisor.restarts, self._facts
        self.following: Following | None = None
        if asked.model is not None:
            self.following = Following(asked.model, self.fleet, self.supervisor, tell)
        self.tasks: list[asyncio.Task[None]] = []
        self.ended = asyncio.Event()
        self.signals = 0
        self.served = False

    async def run(self) -> None:
        """From the first replica to the last request."""
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled)
        router = Router(
            self.fleet, self.metrics, self.asked.limits, self.asked.token, self._hosts(), self._reload if self.following else None
        )
        listener = _bound(self.asked.host, self.asked.port)  # what cannot be is said before the work
        try:
            beginning = asyncio.create_task(self._begin())
            await _either(beginning, self.ended)
            if self.ended.is_set():
                return
            beginning.result()
            seconds = self.asked.limits.drain_seconds
            async with listening(router.app(), listener, self.connections):
                self.served = True
                gc.collect()
                gc.freeze()  # what is here stays, and need not be looked through again and again while requests wait
                self._say(int(listener.getsockname()[1]))
                loop.add_signal_handler(signal.SIGHUP, self._hup)
                await self.ended.wait()
                router.draining = True
                tell(f"ending: {self.connections.at_work} requests under way have {seconds:.0f} s")
                await asyncio.sleep(min(0.2, seconds))  # in which those who look at /readyz go elsewhere
        finally:
            listener.close()
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            await self.supervisor.close()
            await self.fleet.close()

    async def _begin(self) -> None:
        """The model, and those who answer."""
        if self.following is not None:
            await self.supervisor.warm()
            await self.following.first()
            await self.supervisor.start(self.asked.replicas)
            if self.asked.follow:
                self.tasks.append(asyncio.create_task(self.following.follow()))
        else:
            remotes = Remotes(self.asked.remote, self.asked.remote_token, self.fleet, tell)
            await remotes.first()
            self.tasks.append(asyncio.create_task(remotes.watch()))

    def _hosts(self) -> frozenset[str] | None:
        """Names that clients may call it by: of a service that only this machine can reach, those of this machine."""
        if not is_loopback(self.asked.host):
            return None
        return frozenset({"localhost", "127.0.0.1", "::1", self.asked.host.strip("[]").lower()})

    def _say(self, port: int) -> None:
        host = f"[{self.asked.host}]" if ":" in self.asked.host else self.asked.host
        url, model = f"http://{host}:{port}", self.fleet.model
        assert model is not None
        size = f"{len(self.fleet.members)} replicas" if len(self.fleet.members) != 1 else "1 replica"
        tell(f"{model.name} of {self.asked.model or 'the replicas'} (model {model.digest[:16]}) by {size} at {url}   {url}/docs")
        if self.asked.as_json:
            print(
                json.dumps(
                    {"url": url, "name": model.name, "model": model.digest, "replicas": len(self.fleet.members), "pid": os.getpid()}
                ),
                flush=True,
            )

    def _signalled(self) -> None:
        self.signals += 1
        if self.signals > 1:
            os._exit(130)
        self.ended.set()

    def _hup(self) -> None:
        async def swap() -> None:
            with contextlib.suppress(RegrowError, OSError):
                await self._reload()

        self.tasks.append(asyncio.create_task(swap()))

    async def _reload(self) -> Model:
        assert self.following is not None
        try:
            return await self.following.swap()
        except (RegrowError, OSError) as error:
            tell(f"the model is refused, the old one is served on: {error}")
            raise

    def _facts(self) -> dict[str, tuple[str, float]]:
        if self.following is None:
            return {}
        return {
            "model_swaps": ("Models that were taken up after the first.", self.following.swaps),
            "model_reload_failed": ("Models that were refused.", self.following.refused),
        }


def _bound(host: str, port: int) -> socket.socket:
    """A socket that has the address, and does not listen yet. Raises UsageError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise UsageError(f"{host}:{port} cannot be listened at: {error.strerror}", _elsewhere(error)) from None
    return listener


def _elsewhere(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "name another port: --port N; 0: any"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "name a port from 1024 on: --port N"
    return "name an address of this machine: --host ADDRESS"


async def _either(task: asyncio.Task[Any], event: asyncio.Event) -> None:
    """Until a task is done or an event has happened; then the task is cancelled."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
