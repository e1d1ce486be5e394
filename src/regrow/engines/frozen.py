"""Frozen processes, seen from outside: stopped, or ready to run without gaining CPU time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FrozenWatch"]

FROZEN_SECONDS = 1.7
"""With four looks a second, a frozen process is lost, and its work begun again, within two seconds."""


@dataclass(slots=True)
class _Seen:
    """What was seen last, and since when it has not moved."""

    cpu: int
    since: float


class FrozenWatch:
    """Remembers when each process last moved."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._looked = 0.0

    def look(self, name: str, pid: int, now: float) -> str:
        """Why a process counts as frozen; "" while it does not."""
        if now - self._looked > FROZEN_SECONDS:  # we did not look ourselves: nothing can be said of that time
            self._seen.clear()
        self._looked = now
        state, cpu = _state_and_cpu(pid)
        seen = self._seen.get(name)
        asleep = state in "SDIZX" or not state  # one that has ended is not frozen: how it ended will be told
        if seen is None or asleep or cpu != seen.cpu:
            self._seen[name] = _Seen(cpu, now)
            return ""
        if now - seen.since < FROZEN_SECONDS:
            return ""
        return f"stopped for {now - seen.since:.1f} s" if state in "Tt" else f"no CPU time gained for {now - seen.since:.1f} s"

    def drop(self, name: str) -> None:
        """Forget a process."""
        self._seen.pop(name, None)


def _state_and_cpu(pid: int) -> tuple[str, int]:
    """The state letter and the CPU ticks of a process; ("", 0) if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return "", 0
    return fields[0].decode(), int(fields[11]) + int(fields[12])
