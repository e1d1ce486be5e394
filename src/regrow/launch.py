"""Runs from Python: `regrow.run(program, data)`, for programs of one's own and for the estimators."""

from __future__ import annotations

import contextlib
import datetime
import json
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from regrow import prepared
from regrow.data import Source, TextOptions, describe
from regrow.data.streams import Stream
from regrow.errors import DataError, Paused, ProgramError, RegrowError, UsageError
from regrow.job import ProgramName, loading
from regrow.parameters import check_parameters
from regrow.program import Program
from regrow.running import Watcher, begin
from regrow.spec import How, Spec
from regrow.store.bucket import is_url
from regrow.store.model import ModelFiles, read_model

__all__ = ["Run", "check_names", "default_run", "launch", "own_way", "run", "shared_cache", "text_spec", "unseen_spec", "with_stdin"]


@dataclass(frozen=True)
class Run:
    """A finished run."""

    path: Path
    summary: Mapping[str, Any]
    """What it did and cost: the fields of `train --json`."""

    @property
    def digest(self) -> str:
        """SHA-256 of the model's content: 64 hex digits."""
        return str(self.summary["digest"])

    @cached_property
    def files(self) -> ModelFiles:
        """The model as it was stored."""
        return read_model(self.path)

    @property
    def model(self) -> Mapping[str, Any]:
        """The arrays and strings of the model, by name."""
        return self.files.arrays


def default_run(command: str) -> Path:
    """runs/<command>-<UTC time>, with a number behind it if that is taken."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    path = Path("runs") / f"{command.replace(' ', '-')}-{stamp}"
    number = 1
    while path.exists():
        number += 1
        path = path.with_name(f"{command.replace(' ', '-')}-{stamp}-{number}")
    return path


def run(
    program: Program,
    data: str | Path | Sequence[str | Path] = (),
    *,
    seed: int = 1,
    workers: int | None = None,
    engine: str = "local",
    run: str | Path | None = None,
    preempt: float | None = None,
    durable_every: float = 10.0,
    verify: bool = True,
    overwrite: bool = False,
    format: str = "txt",
    address: str | None = None,
    label: str | None = None,
    durable: str | None = None,
) -> Run:
    """Run a program of your own on text files (the layout "text"), and come back when it has ended.

    data        a file or several, plain or gzipped; each line is a line of `part.fixed.lines()`. None for a program that reads no data
    workers     processes; None: as many as cores may be used
    run         the run's directory; None: a temporary one, which goes away with the Run (a paused one stays, to be resumed)
    address     of a Ray cluster, for engine="ray"; label: of the nodes that get workers; durable: a URL to which cuts are copied
    The other parameters are those of `regrow run`. Raises ProgramError if the program raises or is not deterministic, DataError for
    data that cannot be read, UsageError for parameters that cannot be.
    """
    spec = text_spec(program, data, seed, format=format, inline=engine == "inline")
    how = How(engine, workers or 0, preempt, durable_every, verify, address=address, label=label, durable=durable)
    return launch(spec, how, run, overwrite=overwrite)


def text_spec(program: Program, data: str | Path | Sequence[str | Path], seed: int, *, format: str = "txt", inline: bool = False) -> Spec:
    """What to do to run a program of somebody's own on text files. Raises ProgramError, DataError or UsageError."""
    files = [data] if isinstance(data, (str, Path)) else list(data)
    options = TextOptions(format=format)
    check_parameters(program)
    source = describe([str(file) for file in files], options) if files else Source(format, ())
    return Spec("run", ProgramName.of(program, inline=inline), program.parameters(), seed, source, options, "text")


def launch(spec: Spec, how: How, run: str | Path | None, watcher: Watcher | None = None, *, overwrite: bool = False) -> Run:
    """Begin a run in a directory, or in a temporary one. Raises UsageError for a name of nothing, beside what `begin` raises."""
    if loading:
        raise ProgramError(f"{loading[-1]} starts a run while it is imported", 'put what starts it below: if __name__ == "__main__":')
    if run == "":
        raise UsageError('run=""', "name a folder; None: a temporary one")
    if run is None:
        folder = Path(tempfile.mkdtemp(prefix="regrow-"))
        try:
            made = Run(folder, begin(spec, folder, how, watcher))
        except Paused:
            raise  # it can be resumed, so it stays
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, RegrowError) and str(folder) in error.advice:
                error.advice = "mend the program and run it again; with run=... it would go on where it stopped"
            raise
        weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
        return made
    return Run(Path(run), begin(spec, Path(run), how, watcher, overwrite=overwrite))


def unseen_spec(command: str, program: Program, model: str | Path, files: Sequence[str], options: TextOptions | None = None) -> Spec:
    """What to do to run a program on documents that a model has not seen.

    Its data are the layouts "text" (and "words" of bags) of the files and "model", one part: the arrays of the model. `options` say
    where the text of the files is (format, fields, vocabulary); how it is cut into words is the model's own way (see `own_way`).
    A program with `results_streamed` gives its lines to `Watcher.output` while it runs. Raises DataError or UsageError.
    """
    found = read_model(Path(model))
    about = found.about
    options = own_way(about, options or TextOptions(), files)
    place = ProgramName(type(program).__module__, type(program).__qualname__)
    source, where = describe(files, options), str(Path(model).absolute())
    check_names(source, found.arrays.get("vocabulary.word"))
    return Spec(command, place, program.parameters(), int(about["seed"]), source, options, "text", model=where)


def own_way(about: Mapping[str, Any], options: TextOptions, files: Sequence[str]) -> TextOptions:
    """Options for reading new files with the words as a model knows them: case, pattern, segments, stop words are the model's.

    So are the fields of the text, where the user names none and the new files have them.
    """
    known = {name: about.get("text", {}).get(name, getattr(options, name)) for name in ("lower", "token_pattern", "segment")}
    return _own_fields(about, files, replace(options, **known, stop_words=None, min_count=1, max_doc_share=1.0))


def check_names(source: Source, words: Iterable[str] | None) -> None:
    """A bag without a vocabulary calls its words by numbers: raises UsageError if a model's words have names."""
    if source.kind == "bag" and source.vocabulary is None and words is not None and not any(word.isdecimal() for word in words):
        raise UsageError(
            f"{source.files[0].name} calls its words by numbers, and those of the model have names", "name the words: --vocab FILE"
        )


def _own_fields(about: Mapping[str, Any], files: Sequence[str], options: TextOptions) -> TextOptions:
    """Where the user names no fields: those that the model was trained on, if the new files have them too."""
    own = about.get("text", {}).get("text_field")
    if own is None or options.text_field is not None or not files:
        return options
    asked = replace(options, text_field=own)
    try:
        source = describe(files, asked)
        if source.format == "jsonl":
            record = json.loads(Stream(source.files[0].name).head().split(b"\n", 1)[0])
            return asked if all(field in record for field in source.text_fields) else options
    except (DataError, UsageError, ValueError, TypeError):
        return options  # and what is wrong with the files, if anything, is said without mention of fields that nobody named
    return asked


@contextlib.contextmanager
def with_stdin(files: Sequence[str]) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    """The input files with those that are not on this machine copied to it: (names, those of them that were made here).

    "-" is the standard input; URLs, also with patterns, name what lies in storage. The files go away at the end unless a run has taken
    them (see Spec.spooled).
    """
    if "-" not in files and not any(is_url(file) for file in files):
        yield list(files), ()
        return
    if list(files).count("-") > 1:
        raise UsageError("the standard input is named twice", "it can be read once")
    with tempfile.TemporaryDirectory(prefix="regrow-input-") as folder:
        from regrow.data.streams import spool
        from regrow.store.inputs import copied_here

        names: list[str] = []
        made: list[str] = []
        for file in files:
            here = [spool(Path(folder) / "stdin")] if file == "-" else copied_here(file, Path(folder)) if is_url(file) else []
            made += here
            names += here or [file]
        yield names, tuple(made)


def shared_cache() -> str:
    """The folder of prepared data that runs share."""
    return str(prepared.default_folder())
