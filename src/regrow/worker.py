"""One attempt: read what the task reads, run it, write what it made. And the loop of a process that does nothing else."""

from __future__ import annotations

import contextlib
import errno
import inspect
import json
import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xxhash

from regrow import rng
from regrow.coordinator.events import Receipt
from regrow.coordinator.plan import PhaseKey, Plan, Task
from regrow.environment import environment
from regrow.errors import DamagedData, DataError, ProgramError
from regrow.job import Job
from regrow.packed import Strings
from regrow.program import Inputs, Message, Partition, Program, Roles, Value
from regrow.store.artifact import BrokenArtifact, State, fold, messages, write_artifact
from regrow.store.container import Broken
from regrow.store.dataset import Dataset
from regrow.store.directory import Directory
from regrow.store.held import HeldStates
from regrow.traces import guest, users_trace

__all__ = ["AttemptError", "Workshop", "serve"]

ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.EIO, errno.EACCES, errno.EPERM}


Kind = Literal["program", "data", "prepared", "environment", "inputs", "memory"]


class AttemptError(Exception):
    """An attempt ended without an artifact; the fields are those of AttemptFailed."""

    def __init__(self, kind: Kind, cause: str, lost: tuple[Task, ...] = ()) -> None:
        super().__init__(cause)
        self.kind, self.cause, self.lost = kind, cause, lost


class Workshop:
    """A job made ready in a process: the program loaded, its roles known, its data found."""

    def __init__(self, job: Job, *, frozen_sends: bool = False) -> None:
        """frozen_sends: check that arrays do not change after they were sent (costs a hash of each)."""
        self.job = job
        self.program: Program = job.load()
        self.dataset, self.directory = _files_of(job)
        self.roles: Roles = checked_roles(self.program, self.dataset)
        self.plan = Plan(self.roles)
        self.environment = environment()
        self.held = HeldStates()
        self._frozen_sends = frozen_sends

    def warm(self) -> None:
        """Compile and call the kernels of the program, so that no attempt does."""
        rng.warm()
        with guest(f"{self.job.program} cannot be made ready"):
            self.program.warm()

    def attempt(self, task: Task, chain: tuple[int, ...], path: Path) -> Receipt:
        """Try a task and write its artifact to `path`. Raises AttemptError."""
        try:
            return self._attempt(task, chain, path)
        except AttemptError:
            raise
        except BrokenArtifact as broken:
            raise AttemptError("inputs", str(broken), self._broken_inputs(task, chain) or (broken.task,)) from None
        except DamagedData as error:
            raise AttemptError("prepared", str(error)) from None
        except DataError as error:
            raise AttemptError("data", str(error)) from None
        except MemoryError as error:
            raise AttemptError("memory", f"no memory: {error}") from None
        except OSError as error:
            if error.errno in ENVIRONMENT:
                raise _environment(error, path) from None
            raise AttemptError("program", users_trace(error)) from None
        except (Exception, SystemExit) as error:
            raise AttemptError("program", users_trace(error) + _hint(error)) from None

    def _attempt(self, task: Task, chain: tuple[int, ...], path: Path) -> Receipt:
        part = _Part(self, task, chain)
        try:
            returned = getattr(self.program, task.role)(part)
            if returned is not None:
                raise ProgramError(*_nothing_to_return(f"{type(self.program).__name__}.{task.role}()", returned))
            part.check_sent()
            return self._write(path, task, chain, part)
        finally:
            part.let_go()

    def _write(self, path: Path, task: Task, chain: tuple[int, ...], part: _Part) -> Receipt:
        """Write what an attempt made. This is our own work: where the disk refuses it, the program is not to blame."""
        try:
            try:
                receipt, state = write_artifact(path, task, part.outputs, chain, lambda: part.before)
            except FileNotFoundError:  # somebody removed the folder of the attempts
                path.parent.mkdir(exist_ok=True)
                receipt, state = write_artifact(path, task, part.outputs, chain, lambda: part.before)
        except OSError as error:
            raise _environment(error, path) from None
        if state is not None:
            self.held.put(task, receipt, state)
        return receipt

    def _broken_inputs(self, task: Task, chain: tuple[int, ...]) -> tuple[Task, ...]:
        """All artifacts that a task reads and that do not check: named at once, so that they are rebuilt together."""
        read = [source for phase in self.plan.inputs(PhaseKey(task.role, task.round)) for source in self.plan.tasks(phase)]
        read += [Task(task.role, round, task.partition) for round in chain]
        for role in self.roles[task.role].states:
            read += self.plan.tasks(PhaseKey(role, self.plan.newest(role, task.round)))
        lost = []
        for source in read:
            try:
                self.directory.open(source).check_all()
            except Broken:
                lost.append(source)
        return tuple(lost)


class _Part(Partition):
    """A partition whose inputs are the artifacts of a run."""

    def __init__(self, shop: Workshop, task: Task, chain: tuple[int, ...]) -> None:
        self._shop, self._task, self._chain = shop, task, chain
        self._sent: list[tuple[str, np.ndarray[Any, Any], int]] = []
        inputs = Inputs(self._fixed_arrays, lambda: self._seen_state, self._messages, self._states)
        seed = shop.job.seed
        super().__init__(
            shop.roles,
            task.role,
            task.partition,
            task.round,
            lambda stream, later=0: rng.key_of(seed, task.role, stream, task.round + later),
            inputs,
        )

    def _fixed_arrays(self) -> Mapping[str, Value]:
        role = self._shop.roles[self.role]
        assert role.data is not None
        return self._shop.dataset.part(role.data, role.part_of(self.index, self.round, self._shop.dataset.layouts[role.data]))

    @cached_property
    def before(self) -> State:
        """The state before the task."""
        return self._shop.held.take(self._shop.directory.open, self.role, self.index, self._chain)

    @cached_property
    def _seen_state(self) -> Mapping[str, Value]:
        return self.before.view()

    def _messages(self, role: str, offset: int) -> Iterator[Message]:
        round = self._shop.plan.newest(role, self.round + offset)
        if round < 0:
            return iter(())
        directory = self._shop.directory
        return messages(directory.open, directory.sections, self._shop.plan, PhaseKey(role, round), self._task)

    def _states(self, role: str) -> Iterator[Mapping[str, Value]]:
        """The last states of a role. Its artifacts say themselves in which rounds they lie."""
        open_artifact, round = self._shop.directory.open, self._shop.plan.newest(role, self.round)
        for index in range(self._shop.roles[role].partitions):
            task = Task(role, round, index)
            try:
                chain = tuple(open_artifact(task).note["chain"])
            except Broken as broken:
                raise BrokenArtifact(task, str(broken)) from None
            yield fold(open_artifact, role, index, chain).view()

    def _put(self, role: str, receiver: int | None, arrays: Mapping[str, Any]) -> None:
        super()._put(role, receiver, arrays)
        if self._shop._frozen_sends:
            for name in arrays:
                value = self.outputs.messages[role, receiver][name]
                array = value.utf8 if isinstance(value, Strings) else value
                self._sent.append((name, array, xxhash.xxh3_64_intdigest(np.ascontiguousarray(array).data)))

    def let_go(self) -> None:
        """Unmap what was read, now: a partition and its inputs know each other, and a mapped file keeps its room on the disk."""
        vars(self).clear()

    def check_sent(self) -> None:
        """Sending is final: raise ProgramError if an array changed after it was sent."""
        for name, array, before in self._sent:
            if xxhash.xxh3_64_intdigest(np.ascontiguousarray(array).data) != before:
                raise ProgramError(f'role "{self.role}" changed "{name}" after it was sent', "send a copy, or send at the end")


def _files_of(job: Job) -> tuple[Dataset, Directory]:
    """The data and the artifacts of a job: here, or on another machine."""
    if job.far is None:
        return Dataset.open(job.data), Directory(job.run)
    from regrow.far.directory import FarDataset, FarDirectory
    from regrow.far.ranges import Reader

    reader, far = Reader(job.far.token), job.far
    return FarDataset.of(job.data, reader, far.coordinator), FarDirectory(job.run, far.epoch, far.coordinator, reader)


def checked_roles(program: Program, dataset: Dataset) -> Roles:
    """The roles of a program on its data. Raises ProgramError or DataError for roles without a method or data."""
    with guest(f"{type(program).__name__}.roles()"):
        roles = program.roles(dataset.data)
    if not isinstance(roles, Roles):
        raise ProgramError(f"{type(program).__name__}.roles() returns no Roles", "return Roles(name=Role(partitions), ...)")
    for name, role in roles.items():
        if not callable(getattr(program, name, None)):
            raise ProgramError(f'{type(program).__name__} has a role "{name}" but no method of that name', f"define def {name}(self, part)")
        _check_signature(program, name)
        if role.data is None:
            continue
        if role.data not in dataset.layouts:
            raise DataError(
                f'role "{name}" reads the layout "{role.data}", which the data has not',
                f"it has: {', '.join(dataset.layouts)}" if dataset.layouts else "name the files that it is made of",
            )
        parts = dataset.layouts[role.data]
        if parts % role.partitions if role.turn else parts != role.partitions:
            raise ProgramError(
                f'role "{name}" has {role.partitions} partitions, its layout "{role.data}" {parts}',
                f'write Role(data["{role.data}"], data="{role.data}", ...)',
            )
    return roles


def _check_signature(program: Program, name: str) -> None:
    """Raise ProgramError for a role method that does not take a partition and nothing else."""
    with contextlib.suppress(ValueError):  # what is written in C has no signature
        signature = inspect.signature(getattr(program, name))
        try:
            signature.bind(None)
        except TypeError as why:
            raise ProgramError(f"{type(program).__name__}.{name}{signature} is no role: {why}", f"define def {name}(self, part)") from None


def _nothing_to_return(what: str, returned: Any) -> tuple[str, str]:
    """What is said of a role method that returns something."""
    if inspect.isgenerator(returned) or inspect.iscoroutine(returned):
        returned.close()
        return (
            f"{what} has a yield or is async: its body never ran",
            "write a plain method; what it makes goes out by part.send, part.result",
        )
    return (
        f"{what} returned a {type(returned).__name__}, which goes nowhere",
        "a role returns nothing: what it makes goes out by part.send, part.keep, part.result",
    )


def _hint(error: BaseException) -> str:
    """One line more for what is easily misread."""
    if isinstance(error, ValueError) and "read-only" in str(error):
        return "\nwhat a task reads is read-only: change a copy of it, e.g. np.array(part.state[...])"
    return ""


def _environment(error: OSError, path: Path) -> AttemptError:
    return AttemptError("environment", f"{error.strerror}: {error.filename or path}")


def serve(connection: socket.socket, shop: Workshop) -> None:
    """Try tasks as they come over the connection, one JSON line each, until it closes.

    On SIGTERM (a notice of preemption) say so, finish what is under way, and leave.
    """

    line = _Line(connection)
    signal.signal(signal.SIGTERM, line.drain)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        line.say({"ready": True, "pid": os.getpid(), "cpu": time.process_time(), "environment": shop.environment})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # one that came before: it was there, and now it leaves
        for asked in connection.makefile("rb"):
            line.say(_answer(shop, json.loads(asked)))


class _Line:
    """What a worker says: one JSON line each, never one inside another, though a notice of preemption comes at any instant."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._speaking = self._draining = False

    def say(self, fact: Mapping[str, Any]) -> None:
        """Say it."""
        self._speaking = True
        self._connection.sendall(json.dumps(fact).encode() + b"\n")
        self._speaking = False
        if self._draining:
            self._notice()

    def drain(self, *_: object) -> None:
        """On SIGTERM."""
        self._draining = True
        if not self._speaking:
            self._notice()

    def _notice(self) -> None:
        self._draining = False
        with contextlib.suppress(OSError):
            self._connection.sendall(b'{"draining": true}\n')


def _answer(shop: Workshop, asked: Mapping[str, Any]) -> dict[str, Any]:
    began = time.process_time()
    task = Task(*asked["task"])
    answer: dict[str, Any] = {"task": task, "number": asked["number"]}
    try:
        receipt = shop.attempt(task, tuple(asked["chain"]), Path(asked["path"]))
        answer["receipt"] = [receipt.digest, receipt.chain, receipt.holds, receipt.stop, receipt.metrics]
    except AttemptError as error:
        answer |= {"failed": error.kind, "cause": error.cause, "lost": error.lost}
    return answer | {"cpu": time.process_time() - began}
