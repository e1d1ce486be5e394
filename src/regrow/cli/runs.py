"""Commands that know nothing of models: run, check, resume, status, digest."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regrow.cli.options import (
    Address,
    Durable,
    DurableEvery,
    Engine,
    Json,
    Label,
    MemoryMax,
    Notice,
    Overwrite,
    Preempt,
    RunDir,
    Seed,
    Verify,
    Workers,
    how,
    parse_size,
)
from regrow.errors import DataError, UsageError

if TYPE_CHECKING:
    from regrow.checking import Finding
    from regrow.spec import Spec

__all__ = ["add_run_commands"]

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run.", show_default=False)]


def add_run_commands(app: typer.Typer) -> None:
    """Add them to the command `regrow`."""
    app.command(short_help="Run a program of your own on text files.")(run)
    app.command(short_help="Find out whether a program of your own is deterministic.")(check)
    app.command(short_help="Go on with a run from all that was committed.")(resume)
    app.command(short_help="Say how far a run is, and what it has cost.")(status)
    app.command(short_help="Print the digest of a model: 64 hex digits.")(digest)


def run(
    program: Annotated[str, typer.Argument(metavar="FILE.py:Class", help="A program of your own.", show_default=False)],
    files: Annotated[
        list[str] | None, typer.Argument(metavar="DATA", help='Text files, plain or gzipped; the layout "text".', show_default=False)
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the program.", show_default=False)
    ] = None,
    seed: Seed = 1,
    run: RunDir = None,
    workers: Workers = None,
    engine: Engine = None,
    preempt: Preempt = None,
    durable_every: DurableEvery = None,
    memory_max: MemoryMax = None,
    notice: Notice = None,
    address: Address = None,
    label: Label = None,
    durable: Durable = None,
    verify: Verify = "auto",
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Run a program of your own on text files, on workers that may be killed at any moment."""
    from regrow.cli.shown import run_and_show
    from regrow.launch import default_run
    from regrow.running import begin

    spec = _spec(program, files or [], set, seed)
    way = how(
        engine,
        workers,
        preempt,
        durable_every,
        verify,
        memory_max=memory_max,
        notice=notice,
        address=address,
        label=label,
        durable=durable,
        cache=False,
    )
    path = run or default_run("run")
    run_and_show(path, lambda watcher: begin(spec, path, way, watcher, overwrite=overwrite), json)


def check(
    program: Annotated[str, typer.Argument(metavar="FILE.py:Class", help="A program of your own.", show_default=False)],
    files: Annotated[list[str] | None, typer.Argument(metavar="DATA", help="Text files, rather small ones.", show_default=False)] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the program.", show_default=False)
    ] = None,
    seed: Seed = 1,
    json: Json = False,
) -> None:
    """Find out whether a program is deterministic: every task twice, other processes, another CPU, workers killed; one digest.

    Ends with exit code 0 if nothing differs, else with 4, naming the task and the array.
    """
    from dataclasses import asdict

    from regrow.checking import check as check_all
    from regrow.cli.shown import print_json
    from regrow.errors import ProgramError

    spec = _spec(program, files or [], set, seed)
    findings = check_all(spec, lambda found: None if json else print(_told(found), flush=True))
    last = findings[-1]
    if json:
        print_json({"deterministic": not last.fault, "digest": last.digest or None, "ways": [asdict(found) for found in findings]})
    if not last.fault:
        if not json:
            print(f"deterministic as far as can be seen; digest {last.digest}")
    elif last.kind == "nondeterministic":
        raise ProgramError(f"{program} is not deterministic\n{last.fault}", "a task may read `part` alone: see docs/programs.md, Rules")
    else:
        raise ProgramError(f"{program} fails\n{last.fault}", "mend it, then check again")


def _told(found: Finding) -> str:
    result = found.digest[:16] if not found.fault else "DIFFERS" if found.kind == "nondeterministic" else "FAILS"
    lost = f", {found.workers_lost} workers lost" if found.workers_lost else ""
    attempts = f"  {found.attempts:,} attempts in {found.seconds:.1f} s{lost}" if not found.fault else ""
    return f"{found.way:16} {found.what:46} {result}{attempts}"


def _spec(program: str, files: list[str], set: list[str] | None, seed: int) -> Spec:
    """What to do, from what the command line says."""
    from regrow.data import Source, TextOptions, describe
    from regrow.job import ProgramName, make
    from regrow.parameters import check_parameters
    from regrow.spec import Spec

    name = ProgramName.parse(program)
    made = make(name.load(), dict(_pair(text) for text in set or []))
    options = TextOptions(format="txt")
    check_parameters(made)
    source = describe(files, options) if files else Source("txt", ())
    return Spec("run", name, made.parameters(), seed, source, options, "text")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text}", "write --set NAME=VALUE, e.g. --set k=5")
    return name, value


def resume(
    where: Annotated[str, typer.Argument(metavar="RUN", help="The directory of a run, or the URL of --durable.", show_default=False)],
    into: RunDir = None,
    workers: Workers = None,
    engine: Engine = None,
    preempt: Preempt = None,
    durable_every: DurableEvery = None,
    memory_max: MemoryMax = None,
    notice: Notice = None,
    address: Address = None,
    label: Label = None,
    durable: Durable = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Go on from the newest cut although code, parameters or versions changed.")
    ] = False,
    json: Json = False,
) -> None:
    """Go on with a run from all that was committed. A finished run says so."""
    from regrow.cli.shown import run_and_show
    from regrow.running import resume as go_on
    from regrow.summary import is_published, summary_of

    run = _brought_here(where, into)
    if (run / "done").exists() and is_published(run):
        print(f"{run} is finished already: nothing is left to do", file=sys.stderr)
        run_and_show(run, lambda _: summary_of(run), json)
        return
    limit = parse_size(memory_max) if memory_max is not None else None
    changes: dict[str, Any] = {
        "workers": workers,
        "engine": engine,
        "preempt": preempt,
        "durable_every": durable_every,
        "memory_max": limit,
        "notice": notice,
        "address": address,
        "label": label,
        "durable": durable,
    }
    run_and_show(run, lambda watcher: go_on(run, watcher, accept_changes=accept_changes, **changes), json)


def _brought_here(where: str, into: Path | None) -> Path:
    """The directory of a run; one that lies in storage is copied here first."""
    from regrow.store.bucket import is_url

    if not is_url(where):
        if into is not None:
            raise UsageError(f"{where} is resumed where it is", "--run DIR is for a run that comes from storage")
        return Path(where)
    from regrow.mirror import fetch

    run = into or Path("runs") / where.rstrip("/").rpartition("/")[2]
    fetch(where, run)
    print(f"{run}: copied from {where}", file=sys.stderr)
    return run


def status(run: RunPath, json: Json = False) -> None:
    """Say how far a run is, and what it has cost so far: running, finished, resumable or failed."""
    from regrow.cli.shown import print_json
    from regrow.story import sentence
    from regrow.summary import status_of

    if not (run / "run.json").exists():
        raise DataError(f"{run} is no run", "name the folder that training printed first")
    found = status_of(run)
    if json:
        print_json(found)
        return
    last = found.pop("last_event")
    for name, value in found.items():
        print(f"{name:15} {value:,}" if isinstance(value, int) else f"{name:15} {value}")
    if last:
        print(f"{'last event':15} {sentence(last)}")


def digest(path: Annotated[Path, typer.Argument(metavar="MODEL", help="A finished run, or a model folder.", show_default=False)]) -> None:
    """Print the digest of a model, or of the lines that a run gave: 64 hex digits that are equal if and only if they are."""
    from regrow.store.model import read_model
    from regrow.summary import published

    streamed = (path / "output.json").exists() and (path / "done").exists()
    print(published(path)["digest"] if streamed else read_model(path).digest)
