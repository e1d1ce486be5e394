"""The cluster as the engine `ray` sees it: hosts that Ray places and starts, and the nodes they stand on.

Ray is asked for places and nothing else: each host is an actor with one CPU and one call, never restarted and never retried by Ray.
What hosts say comes over connections of their own, so nothing depends on Ray's detection of losses (15 to 65 seconds), its order of
calls, or its store. A fleet lives as long as a run, over all its stages.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regrow.engines.host import Lines
from regrow.engines.ray_folder import RayFolder
from regrow.errors import DataError, RegrowError, UsageError
from regrow.far.ranges import listen

__all__ = ["Fleet", "Host", "Node", "join", "leave", "why_nobody"]

LOCAL_STORE_BYTES = 80_000_000
"""Ray's own object store on one machine: nothing of ours is in it."""
NODES_SECONDS = 1.0
PLACE_SECONDS = 30.0
"""A host that has not come by then is asked for again: Ray may have placed it on a node whose loss it has not noticed."""
SHUN_SECONDS = 30.0
"""So long nothing is placed on a node from which a host was lost."""
HELLO_SECONDS = 5.0
CONNECT_SECONDS = 5.0
LEAVE_SECONDS = 5.0
NO_CLUSTER = "name one that runs, e.g. --address HEAD:6379; or leave --address out to start Ray on this machine"
GREETING, SETTINGS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0\4\0\0\0\0\0"
TOKEN = "If it runs and asks for a token, that must be here, too: RAY_AUTH_MODE=token and ~/.ray/auth_token"
RAYS_OWN = "ray.io/"
"""So begin the labels that Ray gives nodes itself."""
IN_VAIN_MAX = 10
QUIET: Mapping[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
"""While Ray starts: what goes wrong then is told by us."""
LOOPBACK = ("127.", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster, as Ray knows it."""

    id: str
    address: str
    cpus: float
    labels: Mapping[str, str]
    leaves_in: float | None = None
    """Seconds until it is taken away; None: nobody said so."""


@dataclass(slots=True, eq=False)
class Host:
    """A host that has been asked for, or has come."""

    name: str
    actor: Any
    call: Any
    asked_at: float
    lines: Lines | None = None
    """None: it has not come yet."""
    node: str = ""
    serves: str = ""
    pid: int = 0
    heard_at: float = 0.0
    served_bytes: int = 0
    briefed: bool = False
    ready: bool = False
    """For the stage that is under way."""
    folder: str = ""
    draining: bool = False


def why_nobody(label: Mapping[str, str], nodes: Iterable[Node]) -> str:
    """Why no node gives a worker, as far as labels and CPUs tell; else nothing. label: what nodes must have."""
    there = list(nodes)
    fit = [node for node in there if label.items() <= node.labels.items()]
    asked = "".join(f" with {name}={value}" for name, value in label.items())
    if not fit and there:
        own = Counter(f"{name}={value}" for node in there for name, value in node.labels.items() if not name.startswith(RAYS_OWN))
        have = ", ".join(f"{label} on {count}" for label, count in sorted(own.items())) or "none of their own"
        return f"there is no node{asked} (labels of the {len(there):,} that are there: {have})"
    if not sum(node.cpus for node in fit):
        return f"no node{asked} has a CPU for workers"
    if all(node.leaves_in is not None for node in fit):
        return f"all nodes{asked} are about to be taken away"
    return ""


class Fleet:
    """A connection to Ray, and the hosts that were asked for.

    address     of a cluster ("auto": the one that this machine belongs to); None: a Ray of our own on this machine
    label       "kind=spot": where hosts may be placed; None: anywhere
    """

    def __init__(self, address: str | None, label: str | None) -> None:
        self.label = dict([label.split("=", 1)]) if label else {}
        self._cpus_each = 0 if address is None else 1  # on a machine of our own, whoever asks for many workers gets them
        self._ray, self._files = _connect(address)
        self.node = self._ray.get_runtime_context().get_node_id()
        self.address = "127.0.0.1" if address is None else self._ray.util.get_node_ip_address()
        self.token = secrets.token_hex(16)
        self.listener = listen(self.address)
        self.hosts: dict[str, Host] = {}
        self.nodes: dict[str, Node] = {}
        self._names = 0
        self._in_vain = 0
        self._shunned: dict[str, float] = {}
        self._actor_class = _actor_class(self._ray)
        self._ended = threading.Event()
        self._look_at_nodes()
        self._watcher = threading.Thread(target=self._watch_nodes, daemon=True)
        self._watcher.start()

    # Nodes

    def _watch_nodes(self) -> None:
        while not self._ended.wait(NODES_SECONDS):
            with contextlib.suppress(Exception):  # a control service that is away for a while: what was known still holds
                self._look_at_nodes()

    def _look_at_nodes(self) -> None:
        from ray._private.worker import global_worker

        leaving: dict[str, int] = global_worker.gcs_client.get_draining_nodes(timeout=5)
        found = {}
        for node in self._ray.nodes():
            if node["Alive"]:
                deadline = leaving.get(node["NodeID"])
                rest = None if deadline is None else max(0.0, deadline / 1000 - time.time()) if deadline else 600.0
                cpus = float(node["Resources"].get("CPU", 0))
                found[node["NodeID"]] = Node(node["NodeID"], node["NodeManagerAddress"], cpus, node["Labels"], rest)
        self.nodes = found

    @property
    def cpus(self) -> int:
        """So many workers the nodes have room for that are there, may be used, and stay."""
        fit = (node for node in self.nodes.values() if node.leaves_in is None and self.label.items() <= node.labels.items())
        return int(sum(node.cpus for node in fit))

    def shun(self, node: str, now: float) -> None:
        """A host was lost there: Ray may take the node for alive for a minute."""
        if node != self.node:
            self._shunned[node] = now

    def _avoided(self, now: float) -> list[str]:
        self._shunned = {node: since for node, since in self._shunned.items() if now - since < SHUN_SECONDS}
        leaving = {node.id for node in self.nodes.values() if node.leaves_in is not None}
        avoided = sorted({*self._shunned, *leaving} & self.nodes.keys())
        return avoided if len(avoided) < len(self.nodes) else []

    # Hosts

    @property
    def staying(self) -> list[Host]:
        """The hosts that were asked for and do not leave."""
        return [host for host in self.hosts.values() if not host.draining]

    def want(self, count: int, now: float) -> None:
        """Ask Ray for as many hosts as are missing."""
        for _ in range(count - len(self.staying)):
            self._names += 1
            name = f"host-{self._names}"
            avoided = self._avoided(now)
            selector = {**self.label, **({"ray.io/node-id": f"!in({','.join(avoided)})"} if avoided else {})}
            actor = self._actor_class.options(num_cpus=self._cpus_each, label_selector=selector or None).remote()
            call = actor.work.remote(name, self.listener.getsockname()[:2], self.token)
            self.hosts[name] = Host(name, actor, call, now)

    def drop(self, host: Host) -> None:
        """A host is lost, or not needed any more."""
        self.hosts.pop(host.name, None)
        if host.lines is not None:
            host.lines.connection.close()
        with contextlib.suppress(Exception):
            self._ray.kill(host.actor, no_restart=True)

    def look(self, now: float) -> None:
        """Deal with hosts that do not come. Raises UsageError, DataError or RegrowError if none ever will."""
        waiting = {host.call: host for host in self.hosts.values() if host.lines is None}
        if not waiting:
            return
        done, _ = self._ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
        for call in done:
            host = waiting[call]
            self.drop(host)
            self._came_to_nothing(call)
        for host in waiting.values():
            if now - host.asked_at > PLACE_SECONDS and host.name in self.hosts:
                self.drop(host)

    def _came_to_nothing(self, call: Any) -> None:
        try:
            why = str(self._ray.get(call))
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, BaseException) else error
            if isinstance(cause, ModuleNotFoundError):
                advice = "install the same version of regrow in the image of all nodes: pip install 'regrow[ray]'"
                raise UsageError(f"the nodes of the cluster have no {cause.name}", advice) from None
            why = f"{type(cause).__name__}: {cause}"
        except self._ray.exceptions.RayError as error:
            why = str(error).splitlines()[0]
        self._in_vain += 1
        if self._in_vain > IN_VAIN_MAX:
            raise RegrowError(f"{self._in_vain} hosts, one after the other, ended before they came: {why}", "see the logs of Ray")

    def accept(self) -> Iterator[tuple[socket.socket, dict[str, Any]]]:
        """Connections of workers that have just come, with what they said first; those of hosts are taken into the books."""
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        hello = self._hello(connection)
        if hello is None:
            connection.close()
        elif "worker" in hello:
            yield connection, hello
        else:
            self._take_in(connection, hello)

    def _hello(self, connection: socket.socket) -> dict[str, Any] | None:
        """The first line that somebody says; None if it does not hold the token of the run."""
        line = b""
        connection.settimeout(HELLO_SECONDS)
        try:
            while not line.endswith(b"\n"):
                byte = connection.recv(1)
                if not byte or len(line) > 4096:
                    return None
                line += byte
            hello: dict[str, Any] = json.loads(line)
            if not hmac.compare_digest(str(hello.get("token")), self.token):
                return None
        except (OSError, ValueError, AttributeError):
            return None
        connection.settimeout(None)
        return hello

    def _take_in(self, connection: socket.socket, hello: Mapping[str, Any]) -> None:
        host = self.hosts.get(str(hello.get("host")))
        if host is None or host.lines is not None:
            connection.close()  # lost already: who was lost does not come back
            return
        self._in_vain = 0
        host.lines, host.node, host.serves, host.pid = Lines(connection), hello["node"], hello["serves"], hello["pid"]
        host.heard_at = time.monotonic()

    def close(self, *, keep_logs: bool = False) -> Path | None:
        """End all hosts, and leave Ray. Returns where its logs are, if it was started here and they are kept."""
        self._ended.set()
        there = [host for host in self.hosts.values() if host.lines is not None]
        for host in there:
            assert host.lines is not None
            host.lines.connection.close()  # a host that is hung up on leaves nothing behind
        with contextlib.suppress(Exception):
            self._ray.wait([host.call for host in there], num_returns=max(1, len(there)), timeout=LEAVE_SECONDS)
        for host in list(self.hosts.values()):
            self.drop(host)
        self.listener.close()
        self._watcher.join(LEAVE_SECONDS)  # it may be asking Ray something at this moment
        with _our_signals():
            self._ray.shutdown()
        if self._files is None:
            return None
        if keep_logs:
            return self._files.keep()
        self._files.remove()
        return None


_current: dict[tuple[str | None, str | None], Fleet] = {}


def join(address: str | None, label: str | None) -> Fleet:
    """The fleet of this process, which is joined once for all stages of a run."""
    if (address, label) not in _current:
        leave()
        _current[address, label] = Fleet(address, label)
    return _current[address, label]


def leave(*, keep_logs: bool = False) -> Path | None:
    """End the fleet of this process, if there is one. Returns where the logs of a Ray are that it had started, if they are kept."""
    return _current.popitem()[1].close(keep_logs=keep_logs) if _current else None


def _actor_class(ray: Any) -> Any:
    """The actor: a place for a host. One call, which lasts as long as the host."""

    class RegrowWorker:
        def work(self, name: str, coordinator: tuple[str, int], token: str) -> str:
            import ray
            from regrow.engines.host import run_host

            node = ray.get_runtime_context().get_node_id()
            local = coordinator[0] == "127.0.0.1"
            return run_host(name, (coordinator[0], coordinator[1]), token, node, "127.0.0.1" if local else ray.util.get_node_ip_address())

    return ray.remote(max_restarts=0, max_task_retries=0, num_cpus=1)(RegrowWorker)


def _connect(address: str | None) -> tuple[Any, RayFolder | None]:
    """Ray, joined to a cluster, or started on this machine, and then the folder of its files. Raises UsageError or DataError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address is None or address.startswith(LOOPBACK):
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # Ray's word for: stay on the loopback interface
    with _our_signals():
        try:
            import ray
        except ImportError as error:
            raise UsageError(f"the engine ray needs Ray, which is not there ({error})", "pip install 'regrow[ray]'") from None
        if address is not None and "://" in address:
            raise UsageError(
                f"{address}: the coordinator must stand on a node of the cluster",
                "start it there, e.g. ray job submit --address http://HEAD:8265 -- regrow ... --engine ray --address auto",
            )
        if ray.is_initialized():
            return ray, None
        _check_there(address)
        files = None
        try:
            if address is None:
                files = _start(ray)
            else:
                ray.init(address=address, **QUIET)
        except RuntimeError as error:
            if "ersion mismatch" in str(error):
                raise DataError(f"the cluster runs other versions: {error}", "use the same Ray and Python everywhere") from None
            raise UsageError(f"Ray refuses: {error}", "see the cluster: ray status") from None
        except (ConnectionError, ValueError, TimeoutError) as error:
            raise UsageError(f"no Ray cluster answers at {address}: {_first_line(error)}", f"{NO_CLUSTER}. {TOKEN}") from None
        logging.getLogger("ray").setLevel("ERROR")
        return ray, files


def _start(ray: Any) -> RayFolder:
    """Start a Ray of our own; returns the folder of its files. Raises UsageError, with that folder, if it does not start."""
    files = RayFolder()
    own = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": LOCAL_STORE_BYTES, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(address="local", _temp_dir=str(files.path), **own, **QUIET)
    except BaseException as error:
        ray.shutdown()
        if isinstance(error, RegrowError) or not isinstance(error, Exception):  # a signal, which is no fault of Ray's
            files.remove()
            raise
        raise UsageError(f"Ray does not start on this machine: {_first_line(error)}", f"see its logs: {files.keep()}") from None
    return files


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _check_there(address: str | None) -> None:
    """Raise UsageError if nobody listens at an address, or one who does not speak HTTP/2 as Ray does: Ray would try for minutes."""
    host, colon, port = (address or "").rpartition(":")
    if not colon:
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS) as there:
            answer = _http2_answer(there)
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(f"there is no Ray cluster at {address}: {error}", NO_CLUSTER) from None
    if answer is not None and answer[3:4] != SETTINGS[3:4]:
        raise UsageError(f"what listens at {address} is not Ray's control service", NO_CLUSTER)


def _http2_answer(there: socket.socket) -> bytes | None:
    """What is said to the greeting of HTTP/2, which begins with settings (RFC 9113, 3.4); None where Ray wants TLS before it."""
    if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
        return None
    there.settimeout(CONNECT_SECONDS)
    try:
        there.sendall(GREETING + SETTINGS)
        return there.recv(9)
    except OSError:  # silent, or gone
        return b""


@contextlib.contextmanager
def _our_signals() -> Iterator[None]:
    """Ray puts handlers of its own in place of those by which a run pauses: put them back."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)
