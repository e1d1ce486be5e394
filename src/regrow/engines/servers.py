"""Starting the fork server of `local`: patiently while it imports, and again if it is killed or frozen meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from regrow import errors
from regrow.engines.frozen import FrozenWatch
from regrow.engines.processes import Server, ServerEnded
from regrow.environment import VERSIONS, environment

__all__ = ["IN_VAIN_MAX", "ServerStarter", "cannot_be_ready", "check_versions"]

IN_VAIN_MAX = 5
"""So many servers may end before a task was done, one after the other."""
LOOK_SECONDS = 0.25
NAME = "server"


class ServerStarter:
    """Starts fork servers, and gives up when they end again and again.

    stop_cause  why somebody wants the run to pause; "" if nobody does
    """

    def __init__(self, stop_cause: Callable[[], str], now: Callable[[], float]) -> None:
        self._stop_cause, self._now = stop_cause, now
        self._in_vain = 0

    def well(self) -> None:
        """A task was done: the server is good for something."""
        self._in_vain = 0

    def failed(self, how: str) -> None:
        """A server has ended. Raises RegrowError if that happens again and again."""
        self._in_vain += 1
        if self._in_vain > IN_VAIN_MAX:
            raise errors.RegrowError(f"the process that forks the workers ends again and again ({how})", "what it said stands above")

    def start(self, job_file: Callable[[], Path], began: Callable[[Server], None]) -> float:
        """Start one; returns the seconds that its imports took. `began` hears of every server before it is ready: it must be ended.

        Raises Paused if somebody wants to stop meanwhile, and the error with which the program was refused.
        """
        while True:
            server = Server(job_file())
            began(server)
            watch = FrozenWatch()
            while not server.said(LOOK_SECONDS):
                if why := watch.look(NAME, server.pid, self._now()):
                    server.cause = why
                    server.process.kill()
                if cause := self._stop_cause():
                    raise errors.Paused(cause, "")
            try:
                seconds = server.await_ready()
            except ServerEnded as ended:
                server.close()
                self._ended_early(ended)
                continue
            check_versions(server.environment)
            return seconds

    def _ended_early(self, ended: ServerEnded) -> None:
        """A server that was frozen or killed is followed by another, some times; one that ended of itself would end again."""
        self._in_vain += 1
        if not ended.taken_away or self._in_vain > IN_VAIN_MAX:
            raise cannot_be_ready(ended) from None


def cannot_be_ready(ended: ServerEnded) -> errors.ProgramError:
    """The error for a program of which the fork server ends before it is ready."""
    return errors.ProgramError(
        f"the program could not be made ready: the process that imports it and calls warm() ended ({ended})",
        "if it said why, that stands above; when that is mended: regrow resume RUN",
    )


def check_versions(theirs: Mapping[str, str]) -> None:
    """Raise DataError if workers would run other code than this process: packages were installed meanwhile."""
    mine = environment()
    changed = [f"{name}: was {mine[name]}, is {theirs.get(name)}" for name in VERSIONS if mine[name] != theirs.get(name)]
    if changed:
        raise errors.DataError(
            "installed packages have changed while the run went on: " + "; ".join(changed),
            "put them back and resume; or go on from the newest cut all the same: regrow resume --accept-changes",
        )
