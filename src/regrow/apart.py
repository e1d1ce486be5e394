"""Work in a process of its own that is forked for it: what ends that process, ends nothing else, and is told."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from typing import Any, NoReturn, TypeVar

from regrow.engines.ending import die_with
from regrow.engines.processes import how_it_ended
from regrow.errors import RegrowError
from regrow.interrupts import Interrupts

__all__ = ["Ended", "apart"]

T = TypeVar("T")


class Ended(Exception):
    """The process ended before its work did.

    how     "exit code 0", "killed by SIGSEGV"
    note    the last that the work told of itself; "" if it told nothing
    """

    def __init__(self, how: str, note: str) -> None:
        super().__init__(how)
        self.how, self.note = how, note


def apart(work: Callable[[Callable[[str], None]], T]) -> T:
    """Do some work in a child of this process; it gets a function by which it tells what it is at. Returns what it returns.

    Raises Ended, the RegrowError that the work raises, or Paused after a signal to this process.
    """
    here, there = Pipe(duplex=False)
    sys.stdout.flush()
    sys.stderr.flush()
    interrupts, parent, child, note, ended = Interrupts(None), os.getpid(), 0, "", None
    with interrupts.caught():
        try:
            with warnings.catch_warnings(), interrupts.shielded():  # a signal beside the fork would leave a child that nobody knows
                warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads: those of BLAS, which know of forks
                child = os.fork()
                if not child:
                    _work(parent, there, work)
            there.close()
            interrupts.check()
            while True:
                kind, value = here.recv()
                if kind == "returned":
                    return value  # type: ignore[no-any-return]
                if kind == "raised":
                    raise value
                note = value
        except EOFError:
            with interrupts.shielded():
                ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            raise Ended(how_it_ended(ended), note) from None
        finally:
            with interrupts.shielded():
                here.close()
                if child and ended is None:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
            interrupts.check()


def _work(parent: int, there: Connection, work: Callable[[Callable[[str], None]], Any]) -> NoReturn:
    """What the child does; the process that was forked never leaves it."""
    code = 1
    try:
        die_with(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C goes to both: the parent ends us
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, signal.SIG_DFL)
        there.send(("returned", work(lambda note: there.send(("at", note)))))
        code = 0
    except RegrowError as error:
        there.send(("raised", error))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
