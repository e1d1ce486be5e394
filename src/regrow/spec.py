"""What a run does (Spec) and how it does it (How), as files: run.json and how.json. All a resumed run needs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from regrow.data import Source, TextOptions, content_digest
from regrow.data.clicks.options import ClickOptions
from regrow.data.clicks.source import ClickSource
from regrow.data.graphs.options import GraphOptions
from regrow.data.graphs.source import GraphSource
from regrow.data.matrix.source import MatrixSource
from regrow.errors import DataError, UsageError
from regrow.identity import source_name
from regrow.job import Job, ProgramName
from regrow.sources import copy_sources
from regrow.store.bucket import is_url
from regrow.store.durable import sync
from regrow.store.model import read_model

if TYPE_CHECKING:
    from regrow.engines.base import Engine

__all__ = ["How", "Spec", "input_digest", "usable_cores", "write_json"]

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Spec:
    """What to do: a program with its parameters and seed, on data made of these files in this way.

    source, options     files of text, or of rows (ClickSource); how they are read: TextOptions, or ClickOptions
    pipeline        "text": the program reads the layout "text"; "grid": it reads rows, columns and vocabulary; "clicks": slots, start,
                    dictionary and fields; "graph": parts; "matrix": rows, columns, vocabulary and about, in cells
    grid            rows and columns, or partitions of examples and of weights, or partitions and 1; None: from the data
    topics          keeps the default grid small where there are very many; None: no matter. Of a matrix, the rank
    model           a run or a model folder whose arrays are the layout "model" of the data; None: no such layout
    start           a finished run that this one goes on from, with its data and any new documents; None: from nothing
    spooled         input files that were made for this run (from stdin, from memory): they move into it
    origin          the folder in which the author of a program has the file of which the run holds a copy
    """

    command: str
    program: ProgramName
    parameters: Mapping[str, Any]
    seed: int
    source: Source
    options: Any
    pipeline: Literal["text", "grid", "clicks", "graph", "matrix"]
    grid: tuple[int, int] | None = None
    topics: int | None = None
    input_digest: str = ""
    model: str | None = None
    model_digest: str = ""
    start: str | None = None
    spooled: tuple[str, ...] = ()
    origin: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed {self.seed}", "a whole number from 0 to 2^63 - 1, e.g. --seed 7")

    def inputs(self) -> list[str]:
        """The names of all that is read: files, a vocabulary, stop words, a model, a run."""
        given = (
            self.model,
            self.start,
            self.source.vocabulary,
            self.options.stop_words if isinstance(self.options, TextOptions) else None,
            self.program.place if self.program.is_file else None,
        )
        return [file.name for file in self.source.files] + [name for name in given if name is not None and os.path.exists(name)]

    def settled(self, run: Path) -> Spec:
        """With the digests of input and model noted, and what belongs to the run in it: spooled input, a program's file."""
        source = self._moved(run)
        digest = input_digest(source)
        model = read_model(Path(self.model or self.start or "")).digest if self.model or self.start else ""
        program, origin = self.program, ""
        if program.is_file:
            origin = str(Path(program.place).absolute().parent)
            name = source_name(Path(program.place))
            copy_sources(Path(program.place), (run / name).parent)
            program = replace(program, place=name)
        return replace(self, source=source, input_digest=digest, program=program, model_digest=model, spooled=(), origin=origin)

    def _moved(self, run: Path) -> Source:
        """The source after its spooled files have moved into the run."""
        if not self.spooled:
            return self.source
        (run / "input").mkdir()
        places = {name: str((run / "input" / Path(name).name).absolute()) for name in self.spooled}
        for name, place in places.items():
            shutil.move(name, place)
        files = tuple(replace(file, name=places.get(file.name, file.name)) for file in self.source.files)
        vocabulary = self.source.vocabulary
        return replace(self.source, files=files, vocabulary=places.get(vocabulary, vocabulary) if vocabulary else None)

    def job(self, run: Path) -> Job:
        """The job of the last program."""
        program = replace(self.program, place=str((run / self.program.place).resolve())) if self.program.is_file else self.program
        return Job(program, self.parameters, self.seed, run / "data", run, self.origin)

    def source_of_model(self) -> dict[str, Any]:
        """What model.json says of the input: its kind, and the fields that were read. Nothing where a run was gone on with as it was."""
        source = self.source
        return {"source": {"kind": source.kind, "fields": list(source.text_fields)}} if source.files else {}

    def options_json(self) -> dict[str, Any]:
        """The text options as JSON values."""
        return asdict(self.options)

    def write(self, run: Path) -> None:
        """Write RUN/run.json."""
        content = {
            "format": FORMAT,
            "command": self.command,
            "program": str(self.program),
            "parameters": dict(self.parameters),
            "seed": self.seed,
            "source": self.source.to_json(),
            "options": self.options_json(),
            "pipeline": self.pipeline,
            "grid": self.grid,
            "topics": self.topics,
            "input_digest": self.input_digest,
            "model": self.model,
            "model_digest": self.model_digest,
            "start": self.start,
            "origin": self.origin,
        }
        write_json(run / "run.json", content)

    @staticmethod
    def read(run: Path) -> Spec:
        """Read RUN/run.json. Raises DataError."""
        try:
            found = json.loads((run / "run.json").read_text())
            if found["format"] != FORMAT:
                raise DataError(
                    f"{run} has format {found['format']}, this regrow works on format {FORMAT}", "resume it with the regrow that began it"
                )
            grid = tuple(found["grid"]) if found["grid"] else None
            kinds: tuple[type[Source], type[Any]] = (Source, TextOptions)
            if "plan" in found["source"]:
                kinds = (ClickSource, ClickOptions)
            elif "graph" in found["source"]:
                kinds = (GraphSource, GraphOptions)
            elif "matrix" in found["source"]:
                kinds = (MatrixSource, TextOptions)
            return Spec(
                found["command"],
                ProgramName.parse(found["program"]),
                found["parameters"],
                found["seed"],
                kinds[0].from_json(found["source"]),
                kinds[1](**found["options"]),
                found["pipeline"],
                grid,
                found["topics"],
                found["input_digest"],
                found["model"],
                found["model_digest"],
                found["start"],
                origin=found.get("origin", ""),
            )
        except (OSError, ValueError, KeyError, TypeError) as why:
            raise DataError(f"{run}/run.json cannot be read: {why!r}", "is it the folder of a run?") from None


@dataclass(frozen=True, slots=True)
class How:
    """How to do it: may change whenever the run is resumed, and changes no byte of the model.

    durable_every   seconds between durable cuts; 0: none
    preempt         kill a worker every so many seconds; None: leave them alone
    cache           the folder of prepared data that runs share; None: prepare afresh
    memory_max      bytes that the tasks of all workers together may take; None: whatever the machine gives
    verify_all      repeat every task, not only some of the first rounds
    notice          seconds from a worker's SIGTERM to its end: what it cannot finish in half of them it hands back
    address         of the Ray cluster (--engine ray); None: Ray is started on this machine
    durable         a URL: storage in which each cut has a copy, from which another machine can go on; None: none
    label           "kind=spot": nodes of the cluster that have this label get workers; None: all
    """

    engine: str = "local"
    workers: int = 0
    preempt: float | None = None
    durable_every: float = 10.0
    verify: bool = True
    cache: str | None = None
    memory_max: int | None = None
    verify_all: bool = False
    notice: float = 30.0
    address: str | None = None
    label: str | None = None
    durable: str | None = None

    def __post_init__(self) -> None:
        if self.engine not in ("local", "inline", "ray", "sim"):
            raise UsageError(f'there is no engine "{self.engine}"', "the engines are local, inline and ray")
        if self.engine != "ray" and (self.address or self.label):
            raise UsageError(f"--address and --label belong to a cluster, and the engine is {self.engine}", "add --engine ray")
        if self.label is not None and not all(self.label.partition("=")):
            raise UsageError(f"--label {self.label}", "a label of nodes and its value, e.g. --label kind=spot")
        if self.label is not None and self.address is None:
            raise UsageError(
                f"--label {self.label} without --address", "labels are of a cluster's nodes, not of the Ray that is started on this machine"
            )
        if self.durable is not None and not is_url(self.durable):
            raise UsageError(f"--durable {self.durable}", "a URL, e.g. --durable s3://bucket/runs/x, or file:///folder")
        if self.workers < 0 or self.workers > 4096:
            raise UsageError(f"{self.workers} workers", "a number from 1 to 4096; leave it out for as many as there are cores")
        if self.preempt is not None and not 0 < self.preempt < float("inf"):
            raise UsageError(f"--preempt {self.preempt:g}", "a number of seconds above 0, e.g. --preempt 1")
        if self.preempt is not None and self.engine == "inline":
            raise UsageError("--preempt with --engine inline", "inline has no worker processes that could be killed; use --engine local")
        if not 0 <= self.notice < float("inf"):
            raise UsageError(f"--notice {self.notice:g}", "a number of seconds, e.g. --notice 30")
        if self.memory_max is not None and self.engine == "ray":
            raise UsageError(
                "--memory-max with --engine ray", "a machine of a cluster gives as many workers room as it has CPUs: ray start --num-cpus"
            )
        if self.memory_max is not None and (self.memory_max < 1 or self.engine != "local"):
            raise UsageError(f"--memory-max {self.memory_max}", "some bytes, e.g. 2G, for worker processes (--engine local)")
        if not 0 <= self.durable_every < float("inf"):
            raise UsageError(f"--durable-every {self.durable_every:g}", "a number of seconds, or 0 for no cuts")

    @property
    def crew(self) -> int:
        """How many workers that makes."""
        return 1 if self.engine == "inline" else self.workers or usable_cores()

    @property
    def elastic(self) -> bool:
        """Whether workers may come and go."""
        return self.engine == "local"

    def make_engine(self, workers: int | None = None) -> Engine:
        """The engine, not yet started; with another number of workers if one is given."""
        if self.engine == "inline":
            from regrow.engines.inline import InlineEngine

            return InlineEngine()
        if self.engine == "sim":
            from regrow.engines.sim import SimEngine

            return SimEngine(self.crew if workers is None else workers, lose_seconds=self.preempt)
        if self.engine == "ray":
            return self._ray_engine(self.crew if workers is None else workers)
        from regrow.engines.local import LocalEngine

        wanted = self.crew if workers is None else workers
        checkers = max(1, wanted) if self.verify_all else 1
        return LocalEngine(wanted, preempt_seconds=self.preempt, verify=self.verify, checkers=checkers, memory_max=self.memory_max)

    def _ray_engine(self, workers: int) -> Engine:
        """Unless somebody says how many, a cluster's nodes say it: as many workers as they have room for."""
        from regrow.engines.fleet import join
        from regrow.engines.ray_engine import RayEngine

        follows = self.address is not None and not self.workers and workers == self.crew
        checkers = max(1, workers) if self.verify_all else 1
        fleet = join(self.address, self.label)
        return RayEngine(fleet, None if follows else workers, preempt_seconds=self.preempt, verify=self.verify, checkers=checkers)

    def reach(self) -> None:
        """Join the cluster. Raises UsageError or DataError if that cannot be."""
        if self.engine == "ray":
            from regrow.engines.fleet import join

            join(self.address, self.label)

    def leave(self, *, failed: bool = False) -> Path | None:
        """The run is over, or pauses: leave the cluster.

        failed: for a reason that logs may tell; returns where those of a Ray of our own are, which stay then.
        """
        if self.engine != "ray":
            return None
        from regrow.engines.fleet import leave

        return leave(keep_logs=failed)

    def write(self, run: Path) -> None:
        """Write RUN/how.json."""
        write_json(run / "how.json", asdict(self))

    @staticmethod
    def read(run: Path) -> How:
        """Read RUN/how.json; the defaults if there is none."""
        try:
            return How(**json.loads((run / "how.json").read_text()))
        except (OSError, ValueError, TypeError):
            return How()

    def changed(self, changes: Mapping[str, Any]) -> How:
        """With those of the changes that were given."""
        given = {name: value for name, value in changes.items() if value is not None}
        if given.get("engine") == "inline" and "preempt" not in given:
            given["preempt"] = None
        if given.get("engine", self.engine) != "ray":
            given |= {name: given.get(name) for name in ("address", "label")}
        return replace(self, **given)


def input_digest(source: Source) -> str:
    """The digest of the input files as they are now; "" where there are none."""
    return content_digest([file.name for file in source.files], source.vocabulary) if source.files else ""


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON values to a file that is never seen half-written, not even after a loss of power."""
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(content, indent=1))
    sync(aside)
    os.replace(aside, path)
