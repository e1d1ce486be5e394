"""A model as replicas map it: its tables, written once into one file, with golden requests and what they were answered.

    python -m regrow.serving.tables MODEL FOLDER        a process of its own: whoever watches a service is not held up by it

Prints one JSON line: `Ready`, or {"error", "advice"}. A replica that maps the file checks it and answers the golden requests; what
differs by one byte is not served. (The model itself was checked against its digest when it was read.)
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from regrow.engines.ending import die_with
from regrow.errors import DataError, RegrowError
from regrow.serving.answers import Answers, kind_of
from regrow.serving.forms import BadRequest, decoded, encoded
from regrow.serving.limits import Limits
from regrow.store.container import Broken, Container, write

__all__ = ["Ready", "Served", "body_of", "prepare"]

SECTION = "tables"


@dataclass(frozen=True, slots=True)
class Ready:
    """A model whose tables are written.

    file    where
    name    of its endpoint
    digest  of the model
    card    the model card
    """

    file: str
    name: str
    digest: str
    card: Mapping[str, Any]


class Served:
    """A model that answers: its digest and its `Answers`."""

    def __init__(self, digest: str, answers: Answers) -> None:
        self.digest, self.answers = digest, answers

    def answered(self, body: bytes, limits: Limits) -> bytes:
        """The answer to a body, in one go."""
        asked = decoded(body, self.answers.asked)
        lines = [line for piece in self.answers.work(asked, limits) for line in piece]
        return body_of(self, asked, lines)

    @staticmethod
    def open(file: str, limits: Limits) -> Served:
        """Map the tables, and let them prove themselves. Raises DataError."""
        try:
            container = Container(file)
            note, arrays = container.note, container.section(SECTION)
        except Broken as error:
            raise DataError(f"the tables of the model are damaged: {error}", "the model is made ready again: regrow serve MODEL") from None
        served = Served(note["digest"], kind_of(note["kind"])(arrays, note["note"]))
        for request, expected in note["golden"]:
            found = _told(served, encoded(request), limits)
            if found != expected:
                raise DataError(
                    f"the model {served.digest[:16]} does not answer as it did when it was made ready: {found}, expected {expected}",
                    f"to this golden request: {json.dumps(request)[:300]}",
                )
        return served


def body_of(served: Served, asked: Any, lines: list[bytes]) -> bytes:
    """The body of an answer: {"model": digest, "documents": [...]}, and what the kind of model says behind it."""
    behind = served.answers.behind(asked, lines)
    return b'{"model": "%b", "%b": [%b]%b}\n' % (served.digest.encode(), served.answers.items.encode(), b", ".join(lines), behind)


def prepare(path: Path, folder: Path) -> Ready:
    """Write the tables of a model into a folder. Raises DataError for a model that cannot be read, or cannot be served."""
    from regrow.store.model import read_model

    files = read_model(path)
    kind = kind_of(files.kind, path)
    arrays, note = kind.prepare(files)
    served = Served(files.digest, kind(arrays, note))
    golden = [(request, _told(served, encoded(request), Limits())) for request in kind.golden(files)]
    file = folder / f"{files.digest}.tables"
    about = {"kind": files.kind, "digest": files.digest, "note": note, "golden": golden}
    try:
        file.unlink(missing_ok=True)
        write(file, {SECTION: arrays}, about)
    except OSError as error:
        raise DataError(
            f"the tables of {path} cannot be written to {folder}: {error.strerror}", "make room there, or set XDG_CACHE_HOME"
        ) from None
    return Ready(str(file), kind.name, files.digest, _card(path, files, kind))


def _told(served: Served, body: bytes, limits: Limits) -> str:
    """What an answer is held against: its SHA-256, or that it was refused."""
    try:
        return hashlib.sha256(served.answered(body, limits)).hexdigest()
    except BadRequest as error:
        return f"refused: {error}"


def _card(path: Path, files: Any, kind: type[Answers]) -> dict[str, Any]:
    """The model card: what it is, what it was trained on, what befell its training, how well it serves the tail."""
    from regrow.summary import summary_of

    about = files.about
    program = files.kind.rpartition(":")[2]
    card = {"model": files.digest, "name": kind.name, "algorithm": program, "parameters": dict(files.parameters), "seed": about.get("seed")}
    card |= {"trained_on": about.get("facts"), "metrics": about.get("metrics"), **kind.card(files)}
    if (path / "run.json").exists():
        summary = summary_of(path)
        card["training"] = {name: summary[name] for name in ("attempts", "workers_lost", "redone_seconds", "train_seconds", "cpu_seconds")}
    return card


def main() -> None:
    """Make a model ready, and say so. It ends with its parent."""
    die_with(os.getppid())
    try:
        print(json.dumps(asdict(prepare(Path(sys.argv[1]), Path(sys.argv[2])))))
    except RegrowError as error:
        print(json.dumps({"error": error.message, "advice": error.advice}))
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
