"""Commands that speak to a run while it goes on: scale, join, drain, stop, top."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from regrow.cli.options import Json
from regrow.errors import DataError, UsageError

__all__ = ["add_steering_commands"]

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run.", show_default=False)]
STOP_SECONDS = 60.0
"""How long `stop` waits for the run to have stopped: what is under way gets 5 seconds, the last cut 10."""


def add_steering_commands(app: typer.Typer) -> None:
    """Add them to the command `regrow`."""
    app.command(short_help="Have so many workers from now on; 0: wait.")(scale)
    app.command(short_help="Add a worker to a run.")(join)
    app.command(short_help="Let one worker of a run leave.")(drain)
    app.command(short_help="Pause a run: it can be resumed.")(stop)
    app.command(short_help="Watch a run: its workers and what happens to them.")(top)


def scale(
    run: RunPath, workers: Annotated[int, typer.Argument(metavar="N", help="So many workers; 0: the run waits.", show_default=False)]
) -> None:
    """Have so many workers from now on. Those that leave finish what they do; with 0 the run waits for others. Changes no byte."""
    from regrow.control import WORKERS_MAX

    if not 0 <= workers <= WORKERS_MAX:
        raise UsageError(f"{workers} workers", f"a number from 0 to {WORKERS_MAX}")
    found = _asked(run, "scale", workers=workers)
    print(f"{found['workers']} workers, {found['before']} before")


def join(run: RunPath) -> None:
    """Add a worker to a run."""
    found = _asked(run, "join")
    print(f"{found['workers']} workers, {found['before']} before")


def drain(
    run: RunPath, worker: Annotated[str, typer.Argument(metavar="WORKER", help="Its name, as in: regrow top RUN.", show_default=False)]
) -> None:
    """Let a worker finish what it does and leave. No other takes its place; for that: regrow join RUN."""
    found = _asked(run, "drain", worker=worker)
    print(f"{found['worker']} leaves, {found['workers']} workers stay")


def stop(run: RunPath) -> None:
    """Pause a run, and come back when it has stopped. What was committed stays; `regrow resume` goes on from there."""
    from regrow.control import ask
    from regrow.store.lock import is_locked
    from regrow.summary import status_of

    _check_run(run)
    asked = ask(run, "stop")
    deadline = time.monotonic() + STOP_SECONDS
    while asked is not None and is_locked(run):
        if time.monotonic() > deadline:
            raise UsageError(f"{run} has not stopped within {STOP_SECONDS:.0f} s", "see: regrow top; or end its process")
        time.sleep(0.05)
    state = status_of(run)["state"]
    if state == "running":
        raise UsageError(f"{run} runs, and its coordinator cannot be spoken to", "end its process with SIGTERM: the run pauses")
    advice = "nothing is left to do" if state == "finished" else f"go on with it: regrow resume {run}"
    print(f"{run} is {state if asked is None or state != 'resumable' else 'paused'}: {advice}")


def top(
    run: RunPath,
    once: Annotated[bool, typer.Option("--once", help="Print it once, as is done off a terminal.")] = False,
    json: Json = False,
) -> None:
    """Watch a run: how far it is, its workers, what was lost and why. Reads the story, also when the run is over; Ctrl-C leaves."""
    from regrow.cli.shown import print_json
    from regrow.cli.top import look, show, watch

    _check_run(run)
    if json:
        print_json(look(run))
    elif once or not sys.stdout.isatty():
        show(look(run))
    else:
        watch(run)


def _check_run(run: Path) -> None:
    if not (run / "run.json").exists():
        raise DataError(f"{run} is no run", "name the folder that training printed first")


def _asked(run: Path, do: str, **values: Any) -> dict[str, Any]:
    """What the coordinator answers. Raises UsageError if there is none."""
    from regrow.control import ask
    from regrow.summary import status_of

    _check_run(run)
    found = ask(run, do, **values)
    if found is None:
        state = status_of(run)["state"]
        if state == "running":
            raise UsageError(f"{run} runs, and its coordinator cannot be spoken to", "try again in a moment")
        advice = "nothing is left to do" if state == "finished" else f"go on with it: regrow resume {run} --workers N"
        raise UsageError(f"{run} is not running, it is {state}", advice)
    return found
