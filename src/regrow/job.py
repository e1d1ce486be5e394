"""What every process of a run must know: the program, its parameters, the seed, and where data and artifacts are.

Nothing is pickled: a program is named by its module or file and its class, its parameters are JSON.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from regrow.errors import ProgramError, UsageError
from regrow.parameters import make
from regrow.program import Program
from regrow.traces import guest, known_as, shown_place

__all__ = ["Far", "Job", "ProgramName", "loading", "make"]

loading: list[str] = []
"""Files of programs that are being imported now: whoever starts a run at that time has no `if __name__ == "__main__"`."""


@dataclass(frozen=True, slots=True)
class ProgramName:
    """A program by its place: a module of the package, or a file; and the class in it."""

    place: str
    """A dotted module name, or the path of a Python file."""
    name: str

    def __str__(self) -> str:
        return f"{self.place}:{self.name}"

    @property
    def is_file(self) -> bool:
        """Whether the place is a file."""
        return self.place.endswith(".py")

    @staticmethod
    def parse(text: str) -> ProgramName:
        """The program of a text like "examples/wordcount.py:WordCount". Raises UsageError."""
        place, colon, name = text.rpartition(":")
        if not colon or not place or not name.isidentifier():
            raise UsageError(f'"{text}" names no program', f"name a file and a class, e.g. {_example(text)}")
        return ProgramName(place, name)

    @staticmethod
    def of(program: Program, *, inline: bool = False) -> ProgramName:
        """Where a program's class was defined.

        Raises ProgramError for one that was typed in (a notebook, `python -c`), unless it is to run in this process.
        """
        kind = type(program)
        if kind.__module__ != "__main__":
            module = sys.modules[kind.__module__]
            return ProgramName(getattr(module, "__regrow_file__", None) or _place_of(module, inline=inline), kind.__qualname__)
        file = getattr(sys.modules["__main__"], "__file__", None)
        if file is None or not Path(file).is_file():
            if inline:
                return ProgramName("__main__", kind.__qualname__)
            raise ProgramError(
                f"{kind.__name__} was typed in and is in no file: other processes cannot load it",
                'write it to a file and import it from there, or run it with engine="inline"',
            )
        return ProgramName(str(Path(file).resolve()), kind.__qualname__)

    def load(self) -> type[Program]:
        """The class. Raises ProgramError or UsageError if it cannot be had."""
        module = self.module()
        found = getattr(module, self.name, None)
        if not (inspect.isclass(found) and issubclass(found, Program)):
            programs = [
                name
                for name, value in vars(module).items()
                if inspect.isclass(value) and issubclass(value, Program) and value is not Program
            ]
            near = difflib.get_close_matches(self.name, programs, 1, 0.5)
            raise UsageError(
                f"{shown_place(self.place)} has no program called {self.name}",
                (f"did you mean {near[0]}? " if near else "") + f"it has: {', '.join(programs) or 'none (subclass regrow.Program)'}",
            )
        return found

    def module(self) -> ModuleType:
        """The module in which it lies. Raises ProgramError or UsageError."""
        return _load_file(self.place) if self.is_file else _load_module(self.place)

    def source(self) -> Path | None:
        """The file that holds the source; None for a program that was typed in."""
        if self.is_file:
            return Path(self.place)
        if self.place == "__main__":
            return None
        spec = importlib.util.find_spec(self.place)
        if spec is None or spec.origin is None:
            raise UsageError(f"there is no module {self.place}")
        return Path(spec.origin)


def _example(text: str) -> str:
    """A name of a program, made of what somebody wrote: of a file that is there, its first class."""
    if text.endswith(".py") and Path(text).is_file():
        found = re.search(r"^class (\w+)\(", Path(text).read_text(errors="replace"), re.M)
        return f"{text}:{found[1] if found else 'NAME'}"
    return "examples/wordcount.py:WordCount"


def _place_of(module: ModuleType, *, inline: bool) -> str:
    """The name of an installed module; the file of one that was found only because this process looks where it lies.

    Workers do not look there: a file called random.py beside a script must not take the place of Python's.
    """
    file = getattr(module, "__file__", None)
    depth = module.__name__.count(".")
    if file is None or "site-packages" in Path(file).parts or "dist-packages" in Path(file).parts:
        return module.__name__
    place = Path(file).resolve()
    if not depth and place.name != "__init__.py":
        return str(place)
    if inline or place.parents[depth] != Path(sys.path[0] or ".").resolve() or str(place.parents[depth]) in map(_resolved, sys.path[1:]):
        return module.__name__
    raise ProgramError(
        f"{module.__name__} is part of a package that is not installed: other processes do not find it",
        'install the package (pip install -e .), put the program into one file, or run it with engine="inline"',
    )


def _resolved(place: str) -> str:
    return str(Path(place or ".").resolve())


def _load_module(place: str) -> ModuleType:
    with guest(f"{place} cannot be imported"):
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name is None or not (place + ".").startswith(error.name + "."):
                raise
    raise UsageError(f"there is no module {place}", "name a file and a class, e.g. examples/wordcount.py:WordCount")


def _load_file(place: str) -> ModuleType:
    """Import a file under a name of its own, so that it is never taken for the caller's __main__.

    The name is made of the place and the content: a file that has changed is loaded again. Modules beside the file are found after
    those that are installed: a file called random.py does not take the place of Python's.
    """
    path = Path(place).resolve()
    if not path.is_file():
        raise UsageError(f"{place}: no such file", "name the file that holds the program, e.g. examples/wordcount.py:WordCount")
    name = f"regrow_program_{hashlib.sha256(str(path).encode() + path.read_bytes()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__regrow_file__"] = str(path)
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    loading.append(place)
    try:
        with guest(f"{shown_place(place)} cannot be imported"):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        loading.pop()
    return module


@dataclass(frozen=True, slots=True)
class Far:
    """Where a run's files are served.

    coordinator     the address at which its coordinator serves them
    token           what everybody must show who asks for them
    epoch           the name of this start of the coordinator
    """

    coordinator: str
    token: str
    epoch: str


@dataclass(frozen=True, slots=True)
class Job:
    """A program with its parameters, seed and data, and the directory in which it runs."""

    program: ProgramName
    parameters: Mapping[str, Any]
    seed: int
    data: Path
    run: Path
    origin: str = ""
    """Where the author of the program has the file of which the run holds a copy: a folder."""
    far: Far | None = None
    """Where the run really is, on a machine that is not its coordinator's."""

    def kind(self) -> type[Program]:
        """The class of the program."""
        if self.origin:
            known_as(Path(self.program.place).parent, self.origin)
        return self.program.load()

    def load(self) -> Program:
        """The program with its parameters."""
        return make(self.kind(), self.parameters)

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "place": self.program.place,
            "name": self.program.name,
            "parameters": dict(self.parameters),
            "seed": self.seed,
            "data": str(self.data),
            "run": str(self.run),
            "origin": self.origin,
            "far": asdict(self.far) if self.far else None,
        }

    @staticmethod
    def from_json(found: Mapping[str, Any]) -> Job:
        """The job of such values."""
        program = ProgramName(found["place"], found["name"])
        far = Far(**found["far"]) if found.get("far") else None
        return Job(program, found["parameters"], found["seed"], Path(found["data"]), Path(found["run"]), found["origin"], far)
