"""Files of a run, served by range to the other machines of the same run.

A request is one JSON line {"token", "name", "start", "bytes"}, an answer one JSON line {"size", "bytes"} and then the bytes; or
{"error"}. `bytes` 0 asks for the header of a container: its length stands in its first eight bytes. {"token", "where": [role, round]}
asks the coordinator who holds the artifacts of a phase. Everybody holds the token of the run, which Ray hands out; what is served is
below one folder, and whoever reads a container checks it.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

__all__ = ["Gone", "RangeServer", "Reader", "listen"]

PATIENCE_SECONDS = 3.0
"""How long a reader waits for a word from another machine."""
BLOCK_BYTES = 1 << 20
LINE_BYTES_MAX = 1 << 16

Where = Mapping[int, tuple[str, str]]
"""Partition -> (address of a server, name of the file there)."""


class Gone(OSError):
    """A server does not answer, or has no such file."""


def listen(host: str) -> socket.socket:
    """A listening socket on one interface, on a port that is free."""
    return socket.create_server((host, 0), backlog=256, family=socket.AF_INET6 if ":" in host else socket.AF_INET)


class RangeServer:
    """Serves the files below a folder, from threads of its own, until it is closed.

    where       tells who holds the artifacts of a phase (role, round); the coordinator's server alone knows
    """

    def __init__(self, host: str, token: str, where: Callable[[str, int], Where] | None = None) -> None:
        self._listener = listen(host)
        self.address = f"{host} {self._listener.getsockname()[1]}"
        self.sent_bytes = 0
        """How much it has sent: for the account of bytes moved."""
        self._token, self._where = token, where
        self._roots: dict[str, Path] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def serve(self, roots: Mapping[str, Path]) -> None:
        """Serve these folders from now on, each under a name, and no others."""
        self._roots = dict(roots)

    def close(self) -> None:
        """Serve no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer_all, args=(connection,), daemon=True).start()

    def _answer_all(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            lines = connection.makefile("rb")
            while line := lines.readline(LINE_BYTES_MAX):
                asked: dict[str, Any] = json.loads(line)
                if not hmac.compare_digest(str(asked["token"]), self._token):
                    return
                if "where" in asked:
                    self._tell_where(connection, *asked["where"])
                else:
                    self._send(connection, asked)

    def _tell_where(self, connection: socket.socket, role: str, round: int) -> None:
        found = self._where(role, round) if self._where is not None else {}
        text = json.dumps(found).encode()
        connection.sendall(json.dumps({"size": len(text), "bytes": len(text)}).encode() + b"\n" + text)

    def _send(self, connection: socket.socket, asked: Mapping[str, Any]) -> None:
        try:
            file = self._opened(asked["name"])
        except OSError as why:
            connection.sendall(json.dumps({"error": f"{why}"}).encode() + b"\n")
            return
        with file:
            size = os.fstat(file.fileno()).st_size
            start, wanted = int(asked["start"]), int(asked["bytes"])
            if not wanted:
                wanted = 8 + int.from_bytes(os.pread(file.fileno(), 8, 0), "little")
            left = max(0, min(wanted, size - start))
            connection.sendall(json.dumps({"size": size, "bytes": left}).encode() + b"\n")
            self.sent_bytes += left
            while left:
                sent = os.sendfile(connection.fileno(), file.fileno(), start, min(left, BLOCK_BYTES))
                if not sent:
                    raise Gone("the file was cut short")
                start, left = start + sent, left - sent

    def _opened(self, name: str) -> IO[bytes]:
        """A file below one of the folders. Raises OSError, also for a name that leads elsewhere."""
        root, _, rest = name.partition("/")
        if root not in self._roots or not rest or any(part in ("", ".", "..") for part in rest.split("/")):
            raise Gone(f"{name} is not served")
        return open(self._roots[root] / rest, "rb")


class Reader:
    """Asks servers, over one connection to each that is kept. For one thread."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._open: dict[str, tuple[socket.socket, Any]] = {}
        self.received_bytes = 0

    def where(self, address: str, role: str, round: int) -> dict[int, tuple[str, str]]:
        """Who holds the artifacts of a phase, as the coordinator knows. Raises Gone."""
        _, answer = self._ask(address, {"where": [role, round]})
        return {int(partition): (place, name) for partition, (place, name) in json.loads(answer).items()}

    def read(self, address: str, name: str, start: int, count: int) -> bytes:
        """Some bytes of a file. Raises Gone."""
        answer = self._ask(address, {"name": name, "start": start, "bytes": count})[1] if count else b""
        if len(answer) != count:
            raise Gone(f"{name} at {address} is cut short")
        return answer

    def header(self, address: str, name: str) -> tuple[int, bytes]:
        """The size of a container, and its header with the length before it. Raises Gone."""
        return self._ask(address, {"name": name, "start": 0, "bytes": 0})

    def fetch(self, address: str, name: str, path: Path) -> None:
        """Copy a whole file to a new one, which is removed again if that fails. Raises Gone, or OSError where our own disk refuses."""
        size, head = self.header(address, name)
        try:
            with open(path, "xb") as file:
                file.write(head)
                while (at := file.tell()) < size:
                    file.write(self.read(address, name, at, min(size - at, 16 * BLOCK_BYTES)))
        except FileExistsError:
            raise
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _ask(self, address: str, asked: Mapping[str, Any]) -> tuple[int, bytes]:
        """Ask once more over a new connection if the old one has been closed meanwhile."""
        kept = address in self._open
        try:
            return self._ask_once(address, asked)
        except Gone:
            raise
        except (OSError, ValueError) as why:
            self._drop(address)
            if not kept or isinstance(why, TimeoutError):
                raise Gone(f"{address} does not answer: {why}") from None
        try:
            return self._ask_once(address, asked)
        except (OSError, ValueError) as why:
            self._drop(address)
            raise Gone(f"{address} does not answer: {why}") from None

    def _ask_once(self, address: str, asked: Mapping[str, Any]) -> tuple[int, bytes]:
        if address not in self._open:
            host, _, port = address.partition(" ")
            connection = socket.create_connection((host, int(port)), PATIENCE_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open[address] = connection, connection.makefile("rb", BLOCK_BYTES)
        connection, lines = self._open[address]
        connection.sendall(json.dumps({"token": self._token, **asked}).encode() + b"\n")
        line = lines.readline(LINE_BYTES_MAX)
        answer = json.loads(line)  # an empty line, of a closed connection, is no JSON
        if "error" in answer:
            raise Gone(answer["error"])
        content = lines.read(answer["bytes"])
        if len(content) != answer["bytes"]:
            raise ConnectionResetError("closed in the middle of an answer")
        self.received_bytes += len(content)
        return answer["size"], content

    def _drop(self, address: str) -> None:
        connection, lines = self._open.pop(address, (None, None))
        if connection is not None and lines is not None:
            lines.close()
            connection.close()

    def close(self) -> None:
        """Close all connections."""
        for address in list(self._open):
            self._drop(address)
