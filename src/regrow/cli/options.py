"""Options that several commands share, and what they become."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regrow.errors import UsageError

if TYPE_CHECKING:
    from regrow.spec import How

__all__ = [
    "Address",
    "Durable",
    "DurableEvery",
    "Engine",
    "Files",
    "Format",
    "Header",
    "IdField",
    "Json",
    "Label",
    "MemoryMax",
    "Model",
    "NodeLabel",
    "Notice",
    "Overwrite",
    "Preempt",
    "RunDir",
    "Seed",
    "TextField",
    "Verify",
    "Vocabulary",
    "Workers",
    "how",
    "parse_grid",
    "parse_size",
    "refuse_empty",
]

Files = Annotated[
    list[str],
    typer.Argument(metavar="FILES", help="Files, folders, patterns, or - for standard input; plain or compressed.", show_default=False),
]
Model = Annotated[Path, typer.Argument(metavar="RUN", help="A finished run, or a model folder.", show_default=False)]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help="Format of the input [by content].", show_default=False),
]
TextField = Annotated[
    str | None,
    typer.Option("--text-field", metavar="NAMES", help="Fields with text (tables, jsonl), e.g. title,body [text].", show_default=False),
]
IdField = Annotated[
    str | None,
    typer.Option("--id-field", metavar="NAME", help="Field with the documents' names [id, if there is one].", show_default=False),
]
Vocabulary = Annotated[
    str | None,
    typer.Option("--vocab", metavar="FILE", help="The words of a bag of words: one per line, or a gensim dictionary.", show_default=False),
]
Header = Annotated[
    str | None,
    typer.Option("--header", metavar="yes|no", help="Whether csv and tsv begin with names; else fields are numbers.", show_default=False),
]
RunDir = Annotated[
    Path | None, typer.Option("--run", metavar="DIR", help="The run's directory [runs/<command>-<UTC time>].", show_default=False)
]
Workers = Annotated[int | None, typer.Option(metavar="N", help="Worker processes [as many as cores may be used].", show_default=False)]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of all random numbers.")]
Engine = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="local (worker processes), inline (this process), or ray (a cluster) [local].",
        show_default=False,
    ),
]
Preempt = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Kill a random worker every so many seconds and start a new one.", show_default=False),
]
DurableEvery = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Make a durable cut so often; 0: never [10].", show_default=False)
]
MemoryMax = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="What tasks may take in all, e.g. 8G; where it is more, fewer run at a time.", show_default=False),
]
Notice = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="From a worker's SIGTERM to its end; a longer task is handed back [30].", show_default=False),
]
Address = Annotated[
    str | None,
    typer.Option(metavar="ADDR", help="The Ray cluster (--engine ray), e.g. HEAD:6379 or auto [Ray on this machine].", show_default=False),
]
LABEL_HELP = "Workers on nodes with this label only, e.g. kind=spot."
Label = Annotated[str | None, typer.Option("--label", "--node-label", metavar="NAME=VALUE", help=LABEL_HELP, show_default=False)]
NODE_LABEL_HELP = f"{LABEL_HELP} Elsewhere --label says it, too; here that is a column."
NodeLabel = Annotated[str | None, typer.Option("--node-label", metavar="NAME=VALUE", help=NODE_LABEL_HELP, show_default=False)]
Durable = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Copy each durable cut there, e.g. s3://bucket/x; resume it anywhere.", show_default=False),
]
Verify = Annotated[str, typer.Option(metavar="auto|off", help="Run a few tasks twice to see that they are deterministic.")]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Begin anew in place of a run; a model that is there stays until there is a new one."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]


def refuse_empty(words: Sequence[str]) -> None:
    """Raise UsageError for a command line with a word or a value of nothing: as a path that would be the folder that one is in."""
    before = "regrow"
    for word in words:
        option, equals, value = word.partition("=")
        if not word or (option.startswith("--") and equals and not value):
            where = f"there is nothing after {before}" if not word else f"{word} says nothing"
            raise UsageError(where, "say what is meant, or leave it out; a variable of the shell that is not set leaves an empty word")
        before = word


def how(
    engine: str | None,
    workers: int | None,
    preempt: float | None,
    durable_every: float | None,
    verify: str,
    *,
    memory_max: str | None = None,
    notice: float | None = None,
    cache: bool = True,
    address: str | None = None,
    label: str | None = None,
    durable: str | None = None,
) -> How:
    """How to run, from options. Raises UsageError."""
    from regrow.launch import shared_cache
    from regrow.spec import How

    if verify not in ("auto", "off"):
        raise UsageError(f"--verify {verify}", "auto or off")
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers}", "at least one; leave it out for as many as there are cores")
    every = 10.0 if durable_every is None else durable_every
    limit = parse_size(memory_max) if memory_max is not None else None
    return How(
        engine or "local",
        workers or 0,
        preempt,
        every,
        verify != "off",
        shared_cache() if cache else None,
        limit,
        notice=30.0 if notice is None else notice,
        address=address,
        label=label,
        durable=durable,
    )


def parse_size(text: str) -> int:
    """ "500M" as 500,000,000. Raises UsageError."""
    number, unit = text.strip().upper().removesuffix("B"), 1
    if number[-1:] in UNITS:
        number, unit = number[:-1], UNITS[number[-1]]
    try:
        size = float(number) * unit
        if not 1 <= size < 2**62:
            raise ValueError
    except ValueError:
        raise UsageError(f"--memory-max {text}", "a number of bytes, e.g. 500M or 8G") from None
    return int(size)


UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_grid(text: str | None) -> tuple[int, int] | None:
    """ "5x7" as (5, 7). Raises UsageError."""
    if text is None:
        return None
    rows, _, columns = text.lower().partition("x")
    if not (text.isascii() and rows.isdecimal() and columns.isdecimal() and 1 <= int(rows) <= 4096 and 1 <= int(columns) <= 4096):
        raise UsageError(f"--grid {text}", "rows x columns, each from 1 to 4096, e.g. --grid 8x8")
    return int(rows), int(columns)
