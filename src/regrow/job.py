"""What every process of a run must know: the program, its parameters, the seed, and where data and artifacts are.

Nothing is pickled: a program is named by its module or file and its class, its parameters are JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from regrow.errors import ProgramError, RegrowError, UsageError
from regrow.program import Program

__all__ = ["Far", "Job", "ProgramName", "guest", "loading", "make"]

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
            raise UsageError(f'"{text}" names no program', "name a file and a class, e.g. examples/wordcount.py:WordCount")
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
        module = _load_file(self.place) if self.is_file else _load_module(self.place)
        found = getattr(module, self.name, None)
        if not (inspect.isclass(found) and issubclass(found, Program)):
            programs = [
                name
                for name, value in vars(module).items()
                if inspect.isclass(value) and issubclass(value, Program) and value is not Program
            ]
            raise UsageError(
                f"{self.place} has no program called {self.name}", f"it has: {', '.join(programs) or 'none (subclass regrow.Program)'}"
            )
        return found

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


def _place_of(module: ModuleType, *, inline: bool) -> str:
    """The name of an installed module; the file of one that was found only because it lies beside the script.

    Workers do not look there: a file called random.py beside a script must not take the place of Python's.
    """
    file = getattr(module, "__file__", None)
    depth = module.__name__.count(".")
    root = Path(file).resolve().parents[depth] if file else None
    if root is None or file is None or root != Path(sys.path[0] or ".").resolve() or str(root) in map(_resolved, sys.path[1:]):
        return module.__name__
    if depth or Path(file).name == "__init__.py":
        if inline:
            return module.__name__
        raise ProgramError(
            f"{module.__name__} is part of a package that is not installed: other processes do not find it",
            'install the package (pip install -e .), put the program into one file, or run it with engine="inline"',
        )
    return str(Path(file).resolve())


def _resolved(place: str) -> str:
    return str(Path(place or ".").resolve())


@contextlib.contextmanager
def guest(what: str) -> Iterator[None]:
    """Code of a program's author runs: what it prints is no result, and what it raises is a ProgramError."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except RegrowError:
        raise
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)[1:]
        trace = "".join(traceback.format_list(frames) + traceback.format_exception_only(error)).rstrip()
        raise ProgramError(f"{what}: {type(error).__name__}: {error}\n{trace}") from error


def _load_module(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place + ".").startswith(error.name + "."):
            raise UsageError(f"there is no module {place}", "name a file and a class, e.g. examples/wordcount.py:WordCount") from None
        raise ProgramError(f"{place} cannot be imported: {error}") from error


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
        with guest(f"{place} cannot be imported"):
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
    far: Far | None = None
    """Where the run really is, on a machine that is not its coordinator's."""

    def load(self) -> Program:
        """The program with its parameters."""
        return make(self.program.load(), self.parameters)

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "place": self.program.place,
            "name": self.program.name,
            "parameters": dict(self.parameters),
            "seed": self.seed,
            "data": str(self.data),
            "run": str(self.run),
            "far": dataclasses.asdict(self.far) if self.far else None,
        }

    @staticmethod
    def from_json(found: Mapping[str, Any]) -> Job:
        """The job of such values."""
        program = ProgramName(found["place"], found["name"])
        far = Far(**found["far"]) if found.get("far") else None
        return Job(program, found["parameters"], found["seed"], Path(found["data"]), Path(found["run"]), far)


def make(kind: type[Program], parameters: Mapping[str, Any]) -> Program:
    """A program with parameters from JSON values or texts of the command line. Raises UsageError, naming the parameter."""
    if not dataclasses.is_dataclass(kind):
        raise ProgramError(f"{kind.__name__} is no dataclass", "put @dataclass(frozen=True) above the class")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    with guest(f"the types of {kind.__name__}'s parameters cannot be read"):
        hints = get_type_hints(kind)
    unknown = [name for name in parameters if name not in fields]
    if unknown:
        raise UsageError(f'{kind.__name__} has no parameter "{unknown[0]}"', f"it has: {', '.join(fields) or 'none'}")
    values = {name: _converted(name, value, hints[name]) for name, value in parameters.items()}
    missing = [
        name
        for name, field in fields.items()
        if name not in values and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise UsageError(f"{kind.__name__} needs {', '.join(missing)}", f"give it, e.g. --set {missing[0]}=...")
    with guest(f"{kind.__name__} does not take these parameters"):
        return kind(**values)


def _converted(name: str, value: Any, hint: Any) -> Any:
    """A JSON value or a text as the type that a field has."""
    if get_origin(hint) in (Union, UnionType):
        kinds = get_args(hint)
        if value is None or (value == "none" and type(None) in kinds):
            return None
        hint = next(kind for kind in kinds if kind is not type(None))
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(value)
    if isinstance(value, str) and hint in (int, float, bool):
        return _parsed(name, value, hint)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _parsed(name: str, text: str, hint: type) -> Any:
    truths = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        return truths[text.lower()] if hint is bool else hint(text.replace("_", ""))
    except (ValueError, KeyError):
        raise UsageError(
            f'{name}="{text}" is no {hint.__name__}', f"give a value like --set {name}={3 if hint is not bool else 'yes'}"
        ) from None
