"""What every training command takes about its run, beside what is its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from regrow.cli.options import (
    Address,
    Durable,
    DurableEvery,
    Engine,
    Json,
    Label,
    MemoryMax,
    NodeLabel,
    Notice,
    Overwrite,
    Preempt,
    RunDir,
    Verify,
    Workers,
    how,
)
from regrow.errors import UsageError

if TYPE_CHECKING:
    from regrow.spec import How, Spec

__all__ = ["GoingOn", "Training", "refuse_the_runs_own", "training_command"]

GoingOn = Annotated[
    Path | None, typer.Option("--continue", metavar="RUN", help="Go on from a finished run with new data.", show_default=False)
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Prepare the input afresh, and keep nothing for other runs.")]


@dataclass(frozen=True, slots=True)
class Training:
    """Where a command trains, how, and what it prints."""

    path: Path
    way: How
    overwrite: bool
    json: bool

    def run(self, spec: Spec) -> None:
        """Train with the progress on stderr, and print what has come of it."""
        from regrow.cli.shown import run_and_show
        from regrow.running import begin

        run_and_show(self.path, lambda watcher: begin(spec, self.path, self.way, watcher, overwrite=self.overwrite), self.json)


def training_command(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of a run after its own ones; it gets them as `training`, a Training.

    name: of the command, after which a run is named that no --run names.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(command, include_extras=True)
        own = [
            parameter.replace(annotation=hints[parameter.name])
            for parameter in inspect.signature(command).parameters.values()
            if parameter.name != "training"
        ]
        shared = list(inspect.signature(_training, eval_str=True).parameters.values())[1:]
        if "label" in hints:  # a column: nodes have theirs by the longer name alone
            shared = [parameter.replace(annotation=NodeLabel) if parameter.name == "node_label" else parameter for parameter in shared]

        @functools.wraps(command)
        def with_options(**given: Any) -> None:
            options = {parameter.name: given.pop(parameter.name) for parameter in shared}
            command(**given, training=_training(name, **options))

        in_words = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in [*own, *shared]]
        with_options.__signature__ = inspect.Signature(in_words)  # type: ignore[attr-defined]
        with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in in_words}
        del with_options.__wrapped__
        return with_options

    return decorate


def _training(
    name: str,
    run: RunDir = None,
    workers: Workers = None,
    engine: Engine = None,
    preempt: Preempt = None,
    durable_every: DurableEvery = None,
    memory_max: MemoryMax = None,
    notice: Notice = None,
    address: Address = None,
    node_label: Label = None,
    durable: Durable = None,
    verify: Verify = "auto",
    no_cache: NoCache = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> Training:
    """What the options say. Raises UsageError."""
    from regrow.launch import default_run

    way = how(
        engine,
        workers,
        preempt,
        durable_every,
        verify,
        memory_max=memory_max,
        notice=notice,
        cache=not no_cache,
        address=address,
        label=node_label,
        durable=durable,
    )
    return Training(run or default_run(name), way, overwrite, json)


def refuse_the_runs_own(context: typer.Context, names: str) -> None:
    """Refuse options (their parameters' names, with spaces between) that the run to go on from has settled. Raises UsageError."""
    for name in names.split():
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"--{name.replace('_', '-')} with --continue", "a run that goes on keeps its own: leave the option out")
