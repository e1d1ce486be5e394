"""regrow lda infer."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from regrow.cli.options import (
    DurableEvery,
    Engine,
    Files,
    Format,
    Header,
    IdField,
    Model,
    Overwrite,
    Preempt,
    TextField,
    Verify,
    Vocabulary,
    Workers,
    how,
)

if TYPE_CHECKING:
    from regrow.running import Watcher

__all__ = ["infer"]


def infer(
    model: Model,
    files: Files,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="argmax: each token to its best topic; sampling: averaged over draws.")
    ] = "argmax",
    restarts: Annotated[int, typer.Option(metavar="R", help="argmax: starts of each document, averaged.")] = 1,
    sweeps: Annotated[int, typer.Option(metavar="N", help="argmax: visits of all tokens at most.")] = 50,
    samples: Annotated[int, typer.Option(metavar="S", help="sampling: sweeps that are averaged.")] = 20,
    burn_in: Annotated[int, typer.Option(metavar="N", help="sampling: sweeps before them.")] = 20,
    top: Annotated[int, typer.Option(metavar="N", help="Only the N largest topics of a document; 0: all that it has.")] = 0,
    min_share: Annotated[float, typer.Option(metavar="P", help="Only topics with at least this share.")] = 0.0,
    vocab: Vocabulary = None,
    format: Format = None,
    text_field: TextField = None,
    id_field: IdField = None,
    header: Header = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the lines to a file [standard output].", show_default=False)
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="DIR", help="The run's directory, to be resumed [a temporary one].", show_default=False)
    ] = None,
    workers: Workers = None,
    engine: Engine = None,
    preempt: Preempt = None,
    durable_every: DurableEvery = None,
    verify: Verify = "off",
    overwrite: Overwrite = False,
) -> None:
    """Give the topics of new documents: one line of JSON for each, in order.

    {"doc": 0, "id": "if it has one", "topics": [[17, 0.613208], [4, 0.250000]], "tokens": 133, "unknown": 2}

    "doc" counts from 0 over all input. "topics" are those that some token has, largest first. "tokens" are the words that the model
    knows, "unknown" those that it has never seen; words that training dropped on purpose (stop words) are neither.
    """
    from regrow.data import TextOptions
    from regrow.launch import launch, with_stdin
    from regrow.models.lda.specs import inference_spec
    from regrow.models.lda.unseen.inference import Inference

    program = Inference({}, method, restarts, sweeps, samples, burn_in, top, min_share)
    options = TextOptions(format=format, text_field=text_field, vocabulary=vocab, id_field=id_field, header=header)
    way = how(engine, workers, preempt, durable_every, verify, cache=False)
    with with_stdin(files) as (names, spooled):
        spec = inference_spec(model, names, program, options=options, spooled=spooled)
        with _watching(run, out) as watcher:
            done = launch(spec, way, run, watcher, overwrite=overwrite)
    if run is not None:
        print(f"{done.summary['output']}, SHA-256 {done.digest}", file=sys.stderr)


@contextlib.contextmanager
def _watching(run: Path | None, out: Path | None) -> Iterator[Watcher]:
    """Progress on stderr, lines on stdout or in a file, which has its name only when it is whole."""
    from regrow.cli.shown import Bar, Lines
    from regrow.cli.writing import written_whole
    from regrow.running import Watcher

    class Into(Watcher):
        """Lines that go into a file."""

        def __init__(self, shown: Watcher, file: IO[bytes]) -> None:
            self.progress, self.event, self.output = shown.progress, shown.event, file.write  # type: ignore[method-assign, assignment]

    shown = Bar(run) if sys.stderr.isatty() else Lines(run)
    with contextlib.closing(shown):
        if out is None:
            yield shown
            return
        with written_whole(out) as place, open(place, "wb") as file:
            yield Into(shown, file)
