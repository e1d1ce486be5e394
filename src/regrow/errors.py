"""All errors of regrow, told apart by who must act.

    RegrowError                     exit 1   we must act: a fault in regrow itself
    ├── UsageError                  exit 2   the user must change the command
    ├── DataError                   exit 3   the user must change the data, or name another model
    │   └── DamagedData                      nobody must act: prepared data is lost, and made again
    ├── ProgramError                exit 4   the author of the program must act: it raised, or it is not deterministic
    ├── NoAnswer                    exit 75  nobody's fault: all who were asked failed; ask again
    │   └── TooLate                          there was no answer by the deadline; also a TimeoutError
    └── Paused                      exit 75  nobody's fault: the run is on disk and `regrow resume` goes on with it

Losing a worker is none of these: it is an event, and costs nothing but its attempts.
"""

from __future__ import annotations

__all__ = ["DamagedData", "DataError", "NoAnswer", "Paused", "ProgramError", "RegrowError", "TooLate", "UsageError"]


class RegrowError(Exception):
    """The root of all errors that regrow raises on purpose.

    `message` says what happened, where, and what was expected; `advice` says what to do.
    """

    exit_code = 1

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message}\n        {self.advice}" if self.advice else self.message


class UsageError(RegrowError):
    """A command, an option or a parameter that cannot be."""

    exit_code = 2


class DataError(RegrowError):
    """Input data, a run or a model that is missing, broken, or not the one that was meant."""

    exit_code = 3


class DamagedData(DataError):
    """Prepared data of a run is missing or does not check."""


class ProgramError(RegrowError):
    """The user's program raised, broke a rule of the computing model, or is not deterministic."""

    exit_code = 4


class Paused(RegrowError):
    """The run stopped before its end and can go on: interrupted, or the disk is full."""

    exit_code = 75


class NoAnswer(RegrowError):
    """All who were asked failed. The error of the last one, if it raised any, is the cause."""

    exit_code = 75


class TooLate(NoAnswer, TimeoutError):
    """There was no answer by the deadline."""
