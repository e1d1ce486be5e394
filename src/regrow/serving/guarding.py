"""Who may ask: a token, names under which this service is known, a place where its files lie."""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import ipaddress
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from regrow.errors import UsageError
from regrow.prepared import default_folder

__all__ = ["check_host", "is_loopback", "may_ask", "meant_for_us", "private_folder", "read_token"]

TOKEN_LEAST = 16
JUST_MADE = 30.0


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_host(host: str) -> None:
    """Raises UsageError for what is neither an address nor a name of one."""
    try:
        socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise UsageError(f"--host {host[:80]} is no address", "name an address of this machine, e.g. 127.0.0.1") from None


def read_token(file: Path) -> str:
    """The token in a file. Raises UsageError."""
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{file} cannot be read: {why}", "a file with one line, e.g. made by: openssl rand -hex 32") from None
    made = f"one line of at least {TOKEN_LEAST} letters and digits: openssl rand -hex 32"
    if not token:
        raise UsageError(f"{file} holds no token", made)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"the token in {file} has characters that a header cannot hold: blanks, or others than ASCII", made)
    if len(token) < TOKEN_LEAST:
        raise UsageError(f"the token in {file} is too short: {len(token)} characters", made)
    return token


def may_ask(token: str, header: str | None) -> bool:
    """Whether the header Authorization has the token."""
    kind, _, given = (header or "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def meant_for_us(host: str, names: frozenset[str]) -> bool:
    """Whether the header Host names this service. A page of somebody else's, whose name was made to mean this machine, does not."""
    if host.startswith("["):
        name = host.partition("]")[0][1:]
    else:
        name = host.rpartition(":")[0] if host.count(":") == 1 else host
    return name.lower() in names


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only this user may enter, for tables; it goes away at the end, or when the next service begins."""
    place = default_folder().absolute().parent / "serving"
    try:
        place.mkdir(parents=True, exist_ok=True)
        _sweep(place)
        folder = place / uuid.uuid4().hex[:12]
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise UsageError(f"{place} cannot be written: {error.strerror}", "say where with XDG_CACHE_HOME") from None
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(place: Path) -> None:
    """Remove what services that were killed have left: nobody holds its lock, and it is not just being made."""
    for folder in place.iterdir():
        try:
            if time.time() - folder.stat().st_mtime < JUST_MADE:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
        finally:
            os.close(lock)
