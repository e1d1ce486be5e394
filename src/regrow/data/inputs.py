"""What the user named (files, directories, patterns) -> the input files: each once, sorted by name."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from regrow.errors import DataError, UsageError

__all__ = ["Input", "checked", "found", "frozen"]


@dataclass(frozen=True, slots=True)
class Input:
    """One input file, and the directory (with its slash) in which it was found if it was not named itself."""

    name: str
    root: str = ""


def frozen(paths: Sequence[str]) -> list[str]:
    """The names of the input files; see `found`."""
    return [input.name for input in found(paths)]


def found(paths: Sequence[str]) -> list[Input]:
    """The input files, sorted by name: the order in which they are read, however they were given.

    A directory stands for all files below it, a pattern (`*`, `?`, `**`, `[...]`) for what it matches; hidden ones are skipped. A file
    whose name only looks like a pattern is that file. Raises DataError for files that are missing or not readable, for a directory
    without files, and for a pattern that matches nothing; UsageError for a file that is named twice.
    """
    if not paths:
        raise UsageError("no input file is named", "name at least one, e.g. docs.txt")
    inputs = sorted((input for path in paths for input in _named(str(path))), key=attrgetter("name"))
    for input, other in itertools.pairwise(inputs):
        if input.name == other.name:
            raise UsageError(f"{input.name} is named twice", "name each file once, either itself or by its directory or a pattern")
    for input in inputs:
        try:
            input.name.encode()
        except UnicodeEncodeError:
            raise DataError(f"{input.name!a}: the name is not UTF-8", "rename it") from None
    return inputs


def _named(name: str) -> Iterator[Input]:
    """What one argument stands for."""
    if name == "-":
        raise UsageError("the standard input (-) cannot be read here", "write it to a file first, and name that")
    if os.path.isdir(name):
        yield from _below(name)
    elif glob.has_magic(name) and not os.path.lexists(name):
        matches = glob.glob(name, recursive=True)
        if not matches:
            raise DataError(f"{name}: no file matches the pattern", "check the names, and the directory you are in")
        for match in matches:
            if not os.path.isdir(match):
                yield Input(_readable(match))
            elif "**" not in name:  # which matches what is in the directory, too
                yield from _below(match)
    else:
        yield Input(_readable(name))


def _below(directory: str) -> Iterator[Input]:
    """The files below a directory; links are followed, but none into a directory in which it lies."""
    root = directory if directory.endswith("/") else directory + "/"
    left, any_file = [(root, frozenset[str]())], False
    while left:
        folder, above = left.pop()
        here = os.path.realpath(folder)
        if here in above:
            continue
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir():
                        left.append((folder + entry.name + "/", above | {here}))
                    elif entry.is_file():
                        any_file = True
                        yield Input(folder + entry.name, root)
                    else:
                        raise DataError(f"{folder + entry.name} is not a regular file", "remove it, or name the files one by one")
        except OSError as error:
            raise DataError(f"{folder} cannot be read: {error.strerror}", "check its permissions") from error
    if not any_file:
        raise DataError(f"{directory} holds no files", "hidden ones are skipped: name a directory with documents")


def _readable(name: str) -> str:
    """The name of a file that is there. Raises DataError."""
    path = Path(name)
    if not path.exists():
        raise DataError(f"{name}: no such file", "check the name, and the directory you are in")
    if not path.is_file():
        raise DataError(f"{name} is not a regular file", "it is read more than once: write it to a file first, or say - and pipe it in")
    try:
        with path.open("rb"):
            return name
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}", "check its permissions") from error


def checked(name: str) -> str:
    """The name of one file that is there and not empty. Raises DataError."""
    if os.path.isdir(name):
        raise DataError(f"{name} is a directory, not a file", "name a file")
    if not os.path.getsize(_readable(name)):
        raise DataError(f"{name} is empty", "fill it, or leave it out")
    return name
