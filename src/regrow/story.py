"""The story of a run: events.jsonl for people and pages. Nothing that is correct depends on it.

One JSON object a line: {"time": seconds since 1970, "event": words, ...}. The words and their facts come from the
coordinator's decisions; each redo has its cause. docs/story.md has them all.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["VERSION", "Story", "crew_of", "read_story", "sentence"]

VERSION = 1
"""Of the words and facts of the story. It stands in every line that tells of a coordinator's start; see docs/story.md."""


class Story:
    """Appends to a run's events.jsonl, and tells a listener."""

    def __init__(self, run: Path, listener: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        self._descriptor = os.open(run / "events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._listener = listener

    def tell(self, event: str, **facts: Any) -> None:
        """Add a line. One that does not fit onto a full disk is left out: the story is not worth a run."""
        line = {"time": round(time.time(), 3), "event": event, **facts}
        with contextlib.suppress(OSError):
            os.write(self._descriptor, (json.dumps(line) + "\n").encode())
        if self._listener is not None:
            self._listener(line)

    def close(self) -> None:
        """Close the file. Who tells something afterwards, in another thread, must not write into the next file of that number."""
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)


def read_story(run: Path) -> list[dict[str, Any]]:
    """The lines of a story; a torn last line is passed over."""
    lines = []
    try:
        for line in (run / "events.jsonl").read_text(errors="replace").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
    except FileNotFoundError:
        pass
    return lines


def crew_of(story: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The workers of a story: name, when it joined, and whether it is still here, left, or was lost; those of the last coordinator."""
    crew: dict[str, dict[str, Any]] = {}
    for line in story:
        match line["event"]:
            case "coordinator started":
                crew = {}
            case "stage began":
                crew = {}  # each has workers of its own
            case "worker joined":
                crew[line["worker"]] = {"worker": line["worker"], "state": "here", "joined": line["time"], "checks": line["checks"]}
            case "worker left" | "worker lost":
                crew.setdefault(line["worker"], {"worker": line["worker"]})["state"] = line["event"].removeprefix("worker ")
    return list(crew.values())


def sentence(line: Mapping[str, Any]) -> str:
    """A line of the story as words."""
    facts = {key: value for key, value in line.items() if key not in ("time", "event")}
    return f"{line['event']}: " + ", ".join(f"{key} {_short(value)}" for key, value in facts.items()) if facts else str(line["event"])


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, value[:12]))}{f', ... {len(value) - 12} more' if len(value) > 12 else ''}]"
    return str(value)
