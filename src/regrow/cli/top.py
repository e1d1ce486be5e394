"""What `regrow top` shows: a run as its files and its story tell it, and, while it goes on, as its coordinator does."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regrow.control import ask
from regrow.errors import UsageError
from regrow.story import crew_of, read_story, sentence
from regrow.summary import status_of

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["look", "show", "watch"]

REFRESH_SECONDS = 0.5
EVENTS_SHOWN = 12
HIDDEN = {"stage", "story", "process", "digest"}
"""Facts that say nothing to who watches."""


def look(run: Path) -> dict[str, Any]:
    """The status of a run, its workers, and the last lines of its story."""
    story = read_story(run)
    status = status_of(run)
    live = None
    if status["state"] == "running":
        try:
            live = ask(run, "look")
        except UsageError:
            live = None  # its coordinator is frozen: the story still tells
    crew = {worker["worker"]: worker for worker in crew_of(story)}
    for worker in live["crew"] if live else ():
        crew.setdefault(worker["worker"], {"worker": worker["worker"], "state": "starts"}).update(worker)
    here = {worker["worker"] for worker in live["crew"]} if live else set()
    gone = live is None and status["state"] != "finished"
    shown = [worker for name, worker in crew.items() if name in here or (gone and worker["state"] == "here")]
    last = [line for line in story if line["event"] not in ("worker joined", "task repeated")]
    return {**status, "answers": live is not None, "crew": shown, "events": last[-EVENTS_SHOWN:]}


def show(found: Mapping[str, Any]) -> None:
    """Print it."""
    from rich.console import Console

    Console(highlight=False, soft_wrap=False).print(_page(found))


def watch(run: Path) -> None:
    """Show it until the run has ended or somebody presses Ctrl-C."""
    from rich.live import Live

    found = look(run)
    try:
        with Live(_page(found), auto_refresh=False, transient=False) as live:
            while found["state"] == "running":
                time.sleep(REFRESH_SECONDS)
                found = look(run)
                live.update(_page(found), refresh=True)
    except KeyboardInterrupt:
        return


def _page(found: Mapping[str, Any]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    goodput = f"{100 * found['goodput']:.1f} %" if found["goodput"] is not None else "-"
    head = (
        f"{found['run']}: {found['state']}, {found['stage']}, round {found['round']:,} of {found['rounds']:,}\n"
        f"workers {found['workers']}, lost {found['workers_lost']:,}, attempts {found['attempts']:,}\n"
        f"redone {found['redone_seconds']:.2f} CPU-s, goodput {goodput}, disk {found['disk_bytes'] / 1e6:,.1f} MB"
    )
    nodes = any(worker.get("node") for worker in found["crew"])
    table = Table("worker", *(["node"] if nodes else []), "pid", "tasks done", "at", "for", box=None, header_style="bold", pad_edge=False)
    for worker in found["crew"]:
        name, *rest = _row(worker)
        table.add_row(name, *([worker.get("node", "")] if nodes else []), *rest)
    lines = Text("\n".join(_lines(found["events"])), no_wrap=True, overflow="ellipsis")
    crew: list[RenderableType] = [table, Text("")] if found["crew"] else []
    return Group(Text(head), Text(""), *crew, lines)


def _row(worker: Mapping[str, Any]) -> Iterable[str]:
    state = "drains" if worker.get("draining") else "checks" if worker.get("checks") else "idle"
    at = worker.get("task") or ("was here at the end" if "pid" not in worker else state)
    seconds = worker.get("seconds", 0.0)
    return worker["worker"], str(worker.get("pid") or ""), str(worker.get("done", "")), at, f"{seconds:.1f} s" if seconds else ""


def _lines(events: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for line in events:
        at = datetime.datetime.fromtimestamp(line["time"]).strftime("%H:%M:%S")
        yield f"{at}  {sentence({name: value for name, value in line.items() if name not in HIDDEN})}"
