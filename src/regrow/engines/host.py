"""What stands beside each worker of the engine `ray`: a side process that starts it, watches it, and speaks for it.

Ray places and starts it, as the process of an actor; everything else is JSON lines over a connection to the coordinator:

    {"job": ..., "stage", "files", "dataset"}   make ready for a stage        -> {"briefed": stage, "folder"}, then
                                                                                 {"ready": stage, "warm", "environment"}
                                                                                 or {"refused": [error, message, advice]}
    {"fork": NAME}, {"check": NAME}             start a worker, a checker     -> {"forked": NAME, "pid"}; it connects by itself
    {"kill": NAME}                              end it                        -> {"ended": NAME, "code", "cpu", "memory"}
    {"forget": [NAMES]}                         these artifacts are not needed any more
    {"end": true}                               the stage is over
                                                                                 {"frozen": NAME, "why"}, {"said": TEXT}
    every half second                                                            {"beat": bytes that it has served}

It computes nothing, so its heart beats whatever its worker does. Whoever does not hear it for some seconds takes it for lost, with
all that stands on its machine; when it wakes, its connection is closed, it ends, and its worker with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from regrow.engines.frozen import FrozenWatch
from regrow.engines.memory import MemoryKills
from regrow.engines.processes import Server, ServerEnded, how_it_ended, spawn_with
from regrow.engines.servers import IN_VAIN_MAX, cannot_be_ready
from regrow.errors import RegrowError
from regrow.far.ranges import RangeServer

__all__ = ["BEAT_SECONDS", "Lines", "run_host"]

BEAT_SECONDS = 0.5
LOOK_SECONDS = 0.25
CONNECT_SECONDS = 10.0
SERVER = "server"


class Lines:
    """JSON lines over a TCP connection. A machine at the other end that vanishes without a word is noticed within a minute."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._buffer = b""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3)):
            connection.setsockopt(socket.IPPROTO_TCP, option, value)

    def say(self, fact: Mapping[str, Any]) -> None:
        """Say something. Raises OSError if nobody is there."""
        self.connection.sendall(json.dumps(fact).encode() + b"\n")

    def hear(self) -> list[dict[str, Any]] | None:
        """What has been said since; None if the connection is closed."""
        try:
            data = self.connection.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return [json.loads(line) for line in lines]


def run_host(name: str, coordinator: tuple[str, int], token: str, node: str, address: str) -> str:
    """Serve a coordinator until it hangs up; returns why that ended. address: of this machine, as others reach it."""
    host = _Host(name, coordinator, token, node, address)
    try:
        return host.run()
    finally:
        host.close()


class _Host:
    def __init__(self, name: str, coordinator: tuple[str, int], token: str, node: str, address: str) -> None:
        self._coordinator, self._token, self.name = coordinator, token, name
        self._home = _Home(node)
        self._ranges = RangeServer(address, token)
        self._selector = selectors.DefaultSelector()
        self._heard_by, self._speaks_to = os.pipe()
        self._selector.register(self._heard_by, selectors.EVENT_READ, self._pass_on)
        self._frozen, self._kills = FrozenWatch(), MemoryKills()
        self._stage: dict[str, Any] = {}
        self._server: Server | None = None
        self._in_vain = 0
        """So many fork servers of the stage were killed before they were ready."""
        self._ready = False
        self._pids: dict[str, int] = {}
        self._checkers: dict[str, subprocess.Popen[bytes]] = {}
        self._over = ""
        self._control = Lines(self._connect({"host": name, "node": node, "serves": self._ranges.address, "pid": os.getpid()}))
        self._selector.register(self._control.connection, selectors.EVENT_READ, self._hear_coordinator)

    def _connect(self, hello: Mapping[str, Any]) -> socket.socket:
        connection = socket.create_connection(self._coordinator, CONNECT_SECONDS)
        connection.settimeout(None)
        connection.sendall(json.dumps({"token": self._token, **hello}).encode() + b"\n")
        return connection

    def run(self) -> str:
        beat = looked = 0.0
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            while not self._over:
                for key, _ in self._selector.select(LOOK_SECONDS):
                    key.data()
                now = time.monotonic()
                if now - beat >= BEAT_SECONDS:
                    beat = now
                    self._control.say({"beat": self._ranges.sent_bytes})
                if now - looked >= LOOK_SECONDS:
                    looked = now
                    self._look(now)
        return self._over or "the coordinator is gone"

    # What the coordinator asks

    def _hear_coordinator(self) -> None:
        asked = self._control.hear()
        if asked is None:
            self._over = "the coordinator hung up"
            return
        for one in asked:
            self._do(one)

    def _do(self, asked: Mapping[str, Any]) -> None:
        if "job" in asked:
            self._end_stage(over=True)
            self._begin_stage(dict(asked))
        elif "fork" in asked or "check" in asked:
            self._begin_worker(asked)
        elif "kill" in asked:
            if asked["kill"] in self._checkers:
                self._checkers[asked["kill"]].kill()
            elif self._server is not None:
                self._server.kill(asked["kill"])
        elif "forget" in asked and self._stage and not self._stage["here"]:
            for name in asked["forget"]:
                (self._home.attempts(self._stage) / name).unlink(missing_ok=True)
                (self._home.far(self._stage) / name).unlink(missing_ok=True)
        elif "end" in asked:
            self._end_stage(over=True)

    def _begin_stage(self, stage: dict[str, Any]) -> None:
        self._stage = stage
        job_file = self._home.make(stage)
        self._ranges.serve({} if stage["here"] else {"attempts": self._home.attempts(stage)})
        self._stage["job file"] = job_file
        self._in_vain = 0
        self._start_server()
        folder = "" if stage["here"] else str(self._home.attempts(stage))
        self._control.say({"briefed": stage["stage"], "folder": folder})

    def _start_server(self) -> None:
        self._frozen.drop(SERVER)
        self._server, self._ready = Server(self._stage["job file"], stderr=self._speaks_to), False
        self._selector.register(self._server.control, selectors.EVENT_READ, partial(self._hear_server, self._server))

    def _begin_worker(self, asked: Mapping[str, Any]) -> None:
        if self._server is None or ("fork" in asked and not self._ready):
            return  # of a stage that is over
        name = asked.get("fork") or asked["check"]
        connection = self._connect({"worker": name, "host": self.name, "stage": self._stage["stage"]})
        if "fork" in asked:
            self._server.fork_with(name, connection)
            return
        checker = spawn_with(connection, "worker", "4242", self._stage["job file"], self._speaks_to)
        self._checkers[name] = checker
        self._pids[name] = checker.pid
        self._control.say({"forked": name, "pid": checker.pid})

    def _end_stage(self, *, over: bool) -> None:
        """End all that belongs to the stage; over: for everybody, not for this host alone."""
        for checker in self._checkers.values():
            checker.kill()
            checker.wait()
        if self._server is not None:
            if not self._server.ended:
                self._selector.unregister(self._server.control)
            self._server.close()
        self._server, self._checkers, self._pids = None, {}, {}
        self._frozen = FrozenWatch()
        self._ranges.serve({})
        if self._stage and over:
            self._home.clear(self._stage)
        self._stage = {}

    # What its processes tell

    def _hear_server(self, server: Server) -> None:
        if server is not self._server:
            return  # of a stage whose end was heard a moment ago
        if not self._ready:
            self._await_ready(server)
            return
        fact = server.hear()
        if fact is None:
            self._over = f"its fork server ended: {server.cause or how_it_ended(server.process.wait())}"
            return
        if "forked" in fact:
            self._pids[fact["forked"]] = fact["pid"]
        elif "ended" in fact:
            fact |= self._end_of(fact["ended"])
        self._control.say(fact)

    def _await_ready(self, server: Server) -> None:
        try:
            warm = server.await_ready()
        except ServerEnded as ended:
            self._selector.unregister(server.control)
            server.ended = True
            if server.cause:  # it was frozen: another takes its place
                self._over = f"its fork server ended: {server.cause}"
                return
            self._in_vain += 1
            if ended.taken_away and self._in_vain <= IN_VAIN_MAX:
                server.close()
                self._start_server()
                return
            error = cannot_be_ready(ended)
            self._refuse("ProgramError", error.message, error.advice)
        except RegrowError as error:
            self._refuse(type(error).__name__, error.message, error.advice)
        else:
            self._ready = True
            self._control.say({"ready": self._stage["stage"], "warm": warm, "environment": server.environment})

    def _refuse(self, *error: str) -> None:
        self._pass_on()
        self._control.say({"refused": error, "stage": self._stage["stage"]})

    def _end_of(self, name: str) -> dict[str, str]:
        """What is known of a process that ended."""
        self._pids.pop(name, None)
        self._frozen.drop(name)
        return {"memory": self._kills.figures()} if self._kills.lately(time.monotonic()) else {}

    def _pass_on(self) -> None:
        """What programs print belongs to whoever started the run."""
        os.set_blocking(self._heard_by, False)
        with contextlib.suppress(BlockingIOError):
            self._control.say({"said": os.read(self._heard_by, 1 << 16).decode(errors="replace")})

    def _look(self, now: float) -> None:
        self._kills.look(now)
        for name, checker in list(self._checkers.items()):
            if (code := checker.poll()) is not None:
                del self._checkers[name]
                self._control.say({"ended": name, "code": code, "cpu": None, **self._end_of(name)})
        for name, pid in self._pids.items():
            if why := self._frozen.look(name, pid, now):
                self._control.say({"frozen": name, "why": why})
        if self._server is not None and not self._server.ended and (why := self._frozen.look(SERVER, self._server.pid, now)):
            self._server.cause = why
            self._server.process.kill()

    def close(self) -> None:
        """Leave nothing behind."""
        self._end_stage(over=False)
        self._ranges.close()
        self._control.connection.close()
        self._home.close()


class _Home:
    """The folder of a node in which its hosts keep artifacts: shared by all of one run, removed by whoever leaves it last."""

    def __init__(self, node: str) -> None:
        above = Path(tempfile.gettempdir()) / f"regrow-{os.getuid()}"
        above.mkdir(mode=0o700, exist_ok=True)
        if above.stat().st_uid != os.getuid():
            raise PermissionError(f"{above} belongs to somebody else")
        _sweep(above)
        self.path = above / node
        self._lock = -1
        while self._lock < 0:
            self._lock = self._locked()
        self._own = Path(tempfile.mkdtemp(prefix="host-", dir=self.path))

    def _locked(self) -> int:
        """A descriptor that says that somebody lives here; -1 if the folder was removed at this moment."""
        self.path.mkdir(exist_ok=True)
        try:
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return -1
        fcntl.flock(lock, fcntl.LOCK_SH)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self.path / "lock"), os.fstat(lock)):  # else another has made the folder anew
                return lock
        os.close(lock)
        return -1

    def _folder(self, stage: Mapping[str, Any]) -> Path:
        return self.path / str(stage["stage"])

    def attempts(self, stage: Mapping[str, Any]) -> Path:
        """Where workers of this node write."""
        return self._folder(stage) / "attempts" / str(stage["epoch"])

    def far(self, stage: Mapping[str, Any]) -> Path:
        """Where artifacts of other nodes lie, as far as they were read."""
        return self._folder(stage) / "far"

    def make(self, stage: Mapping[str, Any]) -> Path:
        """Make ready for a stage; returns the file that holds its job."""
        job = dict(stage["job"])
        if not stage["here"]:
            folder = self._folder(stage)
            for path in (self.attempts(stage), self.far(stage), folder / "data"):
                path.mkdir(parents=True, exist_ok=True)
            _write(folder / "data" / "dataset.json", stage["dataset"])
            for name, text in stage["files"].items():
                (self._own / "program" / name).parent.mkdir(parents=True, exist_ok=True)
                (self._own / "program" / name).write_text(text)
            place = str(self._own / "program" / Path(job["place"]).name) if job["place"].endswith(".py") else job["place"]
            job |= {"place": place, "run": str(folder), "data": str(folder / "data")}
        path = self._own / "job.json"
        path.write_text(json.dumps(job))
        return path

    def clear(self, stage: Mapping[str, Any]) -> None:
        """The stage is over for everybody."""
        shutil.rmtree(self._folder(stage), ignore_errors=True)

    def close(self) -> None:
        shutil.rmtree(self._own, ignore_errors=True)
        os.close(self._lock)
        _sweep(self.path.parent)


def _write(path: Path, text: str) -> None:
    """Several hosts write the same file, none of them half."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_text(text)
    os.replace(aside, path)


def _sweep(above: Path) -> None:
    """Remove the folders in which nobody lives any more, also those of hosts that were killed."""
    for folder in above.iterdir():
        with contextlib.suppress(OSError):
            lock = os.open(
                folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )  # one that was swept while it was written to has none
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
