"""Small programs that use every part of the computing model, and some that break its rules."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from regrow import Data, Partition, Program, Results, Role, Roles, rng, strings
from regrow.errors import DataError


def busy(seconds: float) -> None:
    """Use CPU time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def hold(file: str, seconds: float, last: bool = False) -> None:
    """Use CPU time while a file is there; tasks of the last round wait until it is gone, so no machine is too slow."""
    if seconds and Path(file).exists():
        busy(seconds)
    patience = time.monotonic() + 600
    while last and Path(file).exists() and time.monotonic() < patience:
        time.sleep(0.02)


@dataclass(frozen=True)
class Ring(Program):
    """State kept and changed, addressed and broadcast messages, a role every 3 rounds, roles that run last, an early end."""

    rounds: int = 20
    partitions: int = 3
    size: int = 24
    stop_after: int = 0
    seconds: float = 0.0
    while_there: str = ""
    """A file: only while it is there do tasks take those seconds."""
    kept: int = 0

    def roles(self, data: Data) -> Roles:
        return Roles(
            self.rounds,
            node=Role(self.partitions, reads={"node": -1, "total": -1}),
            total=Role(1, reads={"node": (0, -1), "total": -1}, every=3),
            echo=Role(2, reads={"total": 0}),
            closing=Role(2, when="last", states=("node", "total"), reads={"echo": 0}),
            final=Role(1, when="last", reads={"closing": 0}, states=("node",)),
        )

    def node(self, part: Partition) -> None:
        if self.while_there:
            hold(self.while_there, self.seconds, last=part.round == self.rounds - 1)
        elif self.seconds:
            busy(self.seconds)
        key, first = part.key("rows"), part.index * 1_000
        heard = sum(float(message["x"].sum()) for message in part.inbox("node"))
        words = [word for message in part.inbox("node") for word in message["words"]]
        mean = sum(float(message["mean"][0]) for message in part.inbox("total"))
        if part.round == 0:
            part.keep(x=rng.uniforms(key, first + np.arange(self.size)), seen=np.zeros((self.size, 2), np.int32))
            sent = np.zeros(2)
        else:
            rows = np.unique((rng.uniforms(key, first + np.arange(4), 1) * self.size).astype(np.int64))
            x, seen = part.state["x"][rows], part.state["seen"][rows]
            sent = x[:2] + heard / self.size
            changed = 0.5 * x + 0.25 * heard / self.size + 0.125 * mean
            if self.kept and part.round % self.kept == 0:
                part.keep(x=np.roll(part.state["x"], 1), seen=part.state["seen"])
            else:
                part.change(rows, x=changed, seen=seen + np.array([1, part.round], np.int32))
        word = f"{part.index}-{part.round}-{'ä' * (part.round % 3)}"
        part.send("node", (part.index + 1) % self.partitions, x=sent, words=strings([*words[-2:], word]))
        part.broadcast("total", mass=np.array([sent.sum(), heard]))
        part.send("total", 0, who=np.uint8(part.index))
        part.metric("heard", heard)
        part.metric("words", len(words))

    def total(self, part: Partition) -> None:
        mass = [float(message["mass"].sum()) + int(message["who"]) for offset in (0, -1) for message in part.inbox("node", offset)]
        before = [float(message["mean"][0]) for message in part.inbox("total")]
        mean = np.array([(sum(mass) + sum(before)) / (1 + len(mass))])
        part.keep(mean=mean, round=np.int64(part.round))
        for role in ("node", "echo", "total"):
            part.broadcast(role, mean=mean)
        part.metric("means", len(before))
        if self.stop_after and part.round >= self.stop_after:
            part.stop()

    def echo(self, part: Partition) -> None:
        means = [float(message["mean"][0]) for message in part.inbox("total")]
        part.broadcast("closing", mean=np.array(means), round=np.int64(part.round))
        part.metric("echoed", sum(means))
        part.result(last_mean=np.array(means), label=strings([f"round {part.round}"]))

    def closing(self, part: Partition) -> None:
        sums = [float(state["x"].sum()) for state in part.states("node")]
        rounds = [int(state["round"]) for state in part.states("total")]
        echoed = [float(value) for message in part.inbox("echo") for value in message["mean"]]
        part.send("final", 0, sums=np.array(sums[part.index :: 2]), rounds=np.array(rounds), echoed=np.array(echoed))

    def final(self, part: Partition) -> None:
        states = list(part.states("node"))
        part.result(x=np.stack([state["x"] for state in states]), seen=np.stack([state["seen"] for state in states]))
        for name in ("sums", "rounds", "echoed"):
            part.result(**{name: np.concatenate([message[name] for message in part.inbox("closing")])})

    def model(self, results: Results) -> dict[str, object]:
        return {**super().model(results), "metrics": np.array([results.metrics[name] for name in sorted(results.metrics)])}


@dataclass(frozen=True)
class Tiny(Program):
    """Many tasks that do almost nothing."""

    rounds: int = 50
    partitions: int = 20
    while_there: str = ""

    def roles(self, data: Data) -> Roles:
        return Roles(self.rounds, cell=Role(self.partitions, reads={"cell": -1}))

    def cell(self, part: Partition) -> None:
        if self.while_there:
            hold(self.while_there, 0.0, last=part.round == self.rounds - 1)
        part.send("cell", (part.index + 1) % self.partitions, n=np.int64(part.round + sum(int(m["n"]) for m in part.inbox("cell")) % 97))
        part.result(n=np.int64(part.round))


@dataclass(frozen=True)
class Wide(Program):
    """State of a few hundred kilobytes a partition, changed and sent in every round."""

    rounds: int = 300
    kilobytes: int = 64
    while_there: str = ""

    def roles(self, data: Data) -> Roles:
        return Roles(self.rounds, cell=Role(4, reads={"cell": -1}))

    def cell(self, part: Partition) -> None:
        if self.while_there:
            hold(self.while_there, 0.0, last=part.round == self.rounds - 1)
        n = self.kilobytes * 128
        values = part.state.get("x", np.zeros(n)) + 1
        part.keep(x=values)
        part.send("cell", (part.index + 1) % 4, x=values)
        if part.round == self.rounds - 1:
            part.result(x=values[:4])


@dataclass(frozen=True)
class Faulty(Program):
    """A task that goes wrong in one place, in one of several ways; with a marker file, only the first time."""

    way: str = "raise"
    marker: str = ""
    rounds: int = 4

    def roles(self, data: Data) -> Roles:
        return Roles(self.rounds, work=Role(3, reads={"work": -1}))

    def work(self, part: Partition) -> None:
        if part.round == 2 and part.index == 1 and not (self.marker and Path(self.marker).exists()):
            if self.marker:
                Path(self.marker).write_text("seen")
            self.go_wrong()
        part.send("work", (part.index + 1) % 3, n=np.int64(part.round))
        part.result(n=np.int64(part.round))

    def go_wrong(self) -> None:
        """In the way that was asked for."""
        match self.way:
            case "raise":
                raise ArithmeticError("seven is not eight")
            case "data":
                raise DataError("line 7 has no words", "mend line 7")
            case "exit":
                raise SystemExit(3)
            case "leave":
                os._exit(0)
            case "segv":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "full":
                raise OSError(28, "No space left on device", "somewhere")


@dataclass(frozen=True)
class Impure(Program):
    """Not a pure function: it reads a clock, or the order of a set, or changes what it has sent."""

    way: str = "clock"

    def roles(self, data: Data) -> Roles:
        return Roles(3, work=Role(3, reads={"work": -1}))

    def work(self, part: Partition) -> None:
        value = np.arange(3)
        if self.way == "clock":
            value = np.array([time.monotonic_ns()])
        elif self.way == "set":
            value = np.array([ord(letter) for letter in {"a", "b", "c", "d", "e", "f", "g", "h"}])
        part.send("work", 0, value=value)
        if self.way == "late" and part.round == 1:
            value[0] = 7
        part.result(value=value)


@dataclass(frozen=True)
class Speaks(Program):
    """Prints wherever it can."""

    def roles(self, data: Data) -> Roles:
        print("NOISE in roles")
        return Roles(1, work=Role(2))

    def work(self, part: Partition) -> None:
        print("NOISE in a task")
        part.result(n=np.int64(part.index))

    def model(self, results: Results) -> dict[str, object]:
        print("NOISE in model")
        return dict(super().model(results))

    def warm(self) -> None:
        print("NOISE in warm")


@dataclass(frozen=True)
class ColdFeet(Program):
    """Cannot be made ready; with a marker only the first time."""

    way: str = "raise"
    marker: str = ""

    def roles(self, data: Data) -> Roles:
        return Roles(1, work=Role(1))

    def work(self, part: Partition) -> None:
        part.result(n=np.int64(1))

    def warm(self) -> None:
        if self.marker:
            if Path(self.marker).exists():
                return
            Path(self.marker).touch()
        if self.way == "raise":
            raise ValueError("no warmth")
        if self.way == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)


@dataclass(frozen=True)
class Tarries(Program):
    """The first attempt of one task of one round waits while a file is there, as on a machine that is slow."""

    while_there: str = ""
    round: int = 2

    def roles(self, data: Data) -> Roles:
        return Roles(4, work=Role(6, reads={"work": -1}))

    def work(self, part: Partition) -> None:
        if self.while_there and (part.round, part.index) == (self.round, 1):
            met = Path(f"{self.while_there}.met")
            if not met.exists():
                met.touch()
                hold(self.while_there, 0.0, last=True)
        part.send("work", (part.index + 1) % 6, n=np.int64(part.round))
        part.result(n=np.int64(part.round))


@dataclass(frozen=True)
class Upper(Program):
    """Lines as a stream: each part of the text in capitals, in the order of the parts, whoever is done first."""

    seconds: float = 0.0
    while_there: str = ""
    results_streamed: ClassVar[str] = "shout"

    def roles(self, data: Data) -> Roles:
        return Roles(shout=Role(data["text"], data="text"))

    def shout(self, part: Partition) -> None:
        seconds = self.seconds * (1 + (part.index + 1) % 3)
        if self.while_there:
            hold(self.while_there, seconds, last=part.index == 3)
        else:
            busy(seconds)
        part.result(lines=np.frombuffer(part.fixed["text"].tobytes().upper(), np.uint8))


@dataclass(frozen=True)
class Keeps(Program):
    """Keeps results beside its model, for whoever goes on from it."""

    results_kept: ClassVar[tuple[str, ...]] = ("work",)

    def roles(self, data: Data) -> Roles:
        return Roles(3, work=Role(2, reads={"work": -1}))

    def work(self, part: Partition) -> None:
        part.send("work", 1 - part.index, n=np.int64(part.round))
        part.result(n=np.int64(part.round + part.index))


@dataclass(frozen=True)
class Hungry(Program):
    """Tasks that take memory, and hold it while a file is there."""

    megabytes: int = 200
    partitions: int = 4
    while_there: str = ""

    def roles(self, data: Data) -> Roles:
        return Roles(work=Role(self.partitions))

    def work(self, part: Partition) -> None:
        held = np.zeros(self.megabytes * 125_000)
        held[:] = part.index
        if self.while_there:
            hold(self.while_there, 0.0, last=True)
        part.result(n=np.int64(held[-1]))


@dataclass(frozen=True)
class FlipsOnce(Program):
    """A pure function on a machine that flips a bit, once: when the marker is there."""

    marker: str = ""

    def roles(self, data: Data) -> Roles:
        return Roles(3, work=Role(3, reads={"work": -1}))

    def work(self, part: Partition) -> None:
        value = np.arange(6) + part.round
        if part.round == 1 and part.index == 1 and Path(self.marker).exists():
            Path(self.marker).unlink()
            value[3] ^= 1 << 20
        part.send("work", (part.index + 1) % 3, value=value)
        part.result(value=value)


@dataclass(frozen=True)
class Laps(Program):
    """Reads its data in every round."""

    rounds: int = 12
    seconds: float = 0.0
    while_there: str = ""

    def roles(self, data: Data) -> Roles:
        return Roles(self.rounds, lap=Role(data["text"], data="text", reads={"lap": -1}))

    def lap(self, part: Partition) -> None:
        if self.while_there:
            hold(self.while_there, self.seconds, last=part.round == self.rounds - 1)
        heard = sum(int(message["n"]) for message in part.inbox("lap")) % 1009
        n = np.int64(heard + len(part.fixed["text"]) + part.round)
        part.send("lap", part.index, n=n)
        part.result(n=n)
