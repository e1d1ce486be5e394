"""Programs that are not deterministic, each in a way that is easily overlooked: regrow check tests/checking/nondeterministic.py:Bad DATA"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass

import numpy as np

from regrow import Data, Partition, Program, Role, Roles


@dataclass(frozen=True)
class Bad(Program):
    """Breaks a tie by the clock, once, in a late round: no look at the first rounds would find it."""

    rounds: int = 6

    def roles(self, data: Data) -> Roles:
        return Roles(self.rounds, work=Role(3, reads={"work": -1}))

    def work(self, part: Partition) -> None:
        value = np.arange(4) + part.round + sum(int(message["value"].sum()) for message in part.inbox("work")) % 97
        if part.round == 4 and part.index == 0:
            value[2] += time.monotonic_ns() % 1_000_003
        part.send("work", (part.index + 1) % 3, value=value)
        part.result(value=value)


@dataclass(frozen=True)
class SetOrder(Program):
    """Goes through a set of words: the order is another one under another hash seed."""

    def roles(self, data: Data) -> Roles:
        return Roles(3, work=Role(2, reads={"work": -1}))

    def work(self, part: Partition) -> None:
        words = {"this", "order", "is", "not", "the", "same", "tomorrow"}
        part.send("work", 1 - part.index, lengths=np.array([len(word) for word in words]))
        part.result(first=np.frombuffer("".join(words).encode(), np.uint8))


@dataclass(frozen=True)
class ChangesWhatItSent(Program):
    """Changes an array after it was sent."""

    def roles(self, data: Data) -> Roles:
        return Roles(2, work=Role(1, reads={"work": -1}))

    def work(self, part: Partition) -> None:
        value = np.arange(3)
        part.send("work", 0, value=value)
        value[0] = 7
        part.result(value=value)


@dataclass(frozen=True)
class CountsItsCalls(Program):
    """Remembers between tasks: what comes out depends on which process did what before."""

    def roles(self, data: Data) -> Roles:
        return Roles(3, work=Role(2, reads={"work": -1}))

    def work(self, part: Partition) -> None:
        CALLS.append(part.round)
        part.send("work", 1 - part.index, n=np.int64(part.round))
        part.result(calls=np.int64(len(CALLS)))


CALLS: list[int] = []


class OneRound(Program):
    """Three tasks, one round: what they make is the result."""

    def roles(self, data: Data) -> Roles:
        return Roles(work=Role(3))


@dataclass(frozen=True)
class Chance(OneRound):
    """Draws from a generator of the process."""

    def work(self, part: Partition) -> None:
        part.result(lot=random.random())


@dataclass(frozen=True)
class HashOrder(OneRound):
    """Puts words into the order of Python's hash."""

    def work(self, part: Partition) -> None:
        words = {word: len(word) for word in sorted(("these", "come", "in", "any", "order"), key=hash)}
        part.result(lengths=np.array(list(words.values())))


@dataclass(frozen=True)
class LeavesForTheNext(OneRound):
    """The first task leaves something for the others: sound as long as one process does all of them in their order."""

    def work(self, part: Partition) -> None:
        LEFT.setdefault("first", part.index)
        part.result(first=LEFT["first"])


@dataclass(frozen=True)
class KeepsAList(OneRound):
    """Its parameters are frozen, the list that one of them holds is not."""

    seen: tuple[list[int], ...] = ([],)

    def work(self, part: Partition) -> None:
        self.seen[0].append(part.index)
        part.result(seen=len(self.seen[0]))


@dataclass(frozen=True)
class Blas(OneRound):
    """A matrix product: its last bits depend on the CPU."""

    def work(self, part: Partition) -> None:
        x = 1 / (1 + np.arange(90_000.0).reshape(300, 300))
        part.result(product=x @ x)


@dataclass(frozen=True)
class Exponential(OneRound):
    """numpy's exp: its last bits depend on the CPU."""

    def work(self, part: Partition) -> None:
        part.result(e=np.exp(-np.arange(100_000.0) / 1_234))


@dataclass(frozen=True)
class EndsItsProcess(Program):
    """Ends the process that it is run in, as a crash in C does. how: an exit code, or below 0 a signal."""

    how: int = 0

    def roles(self, data: Data) -> Roles:
        return Roles(3, work=Role(2, reads={"work": -1}))

    def work(self, part: Partition) -> None:
        if (part.round, part.index) == (1, 1):
            if self.how < 0:
                os.kill(os.getpid(), -self.how)
            os._exit(self.how)
        part.result(value=part.index)


@dataclass(frozen=True)
class ChangesWhatItReads(Program):
    """Changes a message that it got."""

    def roles(self, data: Data) -> Roles:
        return Roles(2, work=Role(2, reads={"work": -1}))

    def work(self, part: Partition) -> None:
        for message in part.inbox("work"):
            message["value"][0] = 7
        part.send("work", part.index, value=np.arange(3))
        part.result(value=part.index)


LEFT: dict[str, int] = {}
