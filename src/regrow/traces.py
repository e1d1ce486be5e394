"""What an exception of a program's author looks like to its author: the lines of their code, and none of ours.

A run holds a copy of the program's file; its author knows the file by the name that they gave it, so that is what is shown.
"""

from __future__ import annotations

import contextlib
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from regrow.errors import Paused, ProgramError, RegrowError

__all__ = ["guest", "known_as", "shown_place", "users_trace"]

_ROOT = Path(__file__).resolve().parent
_PROGRAMS = (_ROOT / "models", _ROOT / "data")
"""Where programs of our own lie: what fails there is shown."""
_PYTHON = tuple({str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib")})
_INSTALLED = tuple({str(Path(sysconfig.get_path(name)).resolve()) for name in ("purelib", "platlib")})
_ORIGINS: dict[Path, Path] = {}
"""A folder with a run's copy of a program -> the folder that its author knows."""


@contextlib.contextmanager
def guest(what: str) -> Iterator[None]:
    """Code of a program's author runs: what it prints is no result, and what it raises is a ProgramError."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except RegrowError:
        raise
    except (Exception, SystemExit) as error:
        if paused := _pause_within(error):
            raise paused from None
        raise ProgramError(f"{what}\n{users_trace(error)}") from error


def _pause_within(error: BaseException) -> Paused | None:
    """The signal to pause that came while a library was at work, which made an error of its own of it (numba does, when it compiles)."""
    within: BaseException | None = error
    while within is not None and not isinstance(within, Paused):
        within = within.__cause__ or within.__context__
    return within


def known_as(copy: Path, origin: str) -> None:
    """From now on, files in the folder `copy` are shown as if they lay in `origin`."""
    _ORIGINS[copy.resolve()] = Path(origin)


def shown_place(file: str) -> str:
    """The name by which the author of a program knows a file: from the current folder if it is in that."""
    path = Path(file)
    for copy, origin in _ORIGINS.items():
        if path.is_relative_to(copy):
            path = origin / path.relative_to(copy)
            break
    with contextlib.suppress(ValueError, OSError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def users_trace(error: BaseException) -> str:
    """The exception with the frames of the program alone, and those of what caused it.

    Frames of regrow are left out; those of libraries too, unless the program itself is an installed one. Of an error that regrow
    raised on purpose (a message to a role that does not listen) the last line is what it says.
    """
    return "\n".join(_parts(error, set()))


def _parts(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _parts(before, seen)
        yield "because of that:" if error.__cause__ else "and while that was handled:"
    yield from (line.rstrip("\n") for line in traceback.format_list(_users_frames(error)))
    if isinstance(error, RegrowError):
        yield f"{error.message} ({error.advice})" if error.advice else error.message
        return
    if isinstance(error, SyntaxError) and error.filename:
        error.filename = shown_place(error.filename)
    yield "".join(traceback.format_exception_only(error)).rstrip()
    for member in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from _parts(member, seen)


def _users_frames(error: BaseException) -> list[traceback.FrameSummary]:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame)]
    shown = [frame for frame in frames if not frame.filename.startswith(_PYTHON + _INSTALLED)]
    shown = shown or [frame for frame in frames if frame.filename.startswith(_INSTALLED)]
    for frame in shown:
        frame.filename = shown_place(frame.filename)
    return shown


def _is_ours(frame: traceback.FrameSummary) -> bool:
    """Whether a frame is of regrow, or of what Python makes up itself: importing, reading types, the __init__ of a dataclass."""
    if frame.filename.startswith("<"):
        return frame.filename.startswith("<frozen ") or frame.name in ("__init__", "<module>")
    path = Path(frame.filename)
    return path.is_relative_to(_ROOT) and not any(path.is_relative_to(place) for place in _PROGRAMS)
