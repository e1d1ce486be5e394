"""An artifact: everything that one task put out, as one container.

Sections: "to/<role>/<receiver>" and "all/<role>" (messages), "state" or "change" (the whole state, or the rows that
changed), "result". The note holds the receipt: what the coordinator must know without reading the arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from regrow.coordinator.events import Receipt
from regrow.coordinator.plan import PhaseKey, Plan, Task
from regrow.errors import ProgramError
from regrow.packed import Strings
from regrow.program import Message, Outputs, Value
from regrow.store.container import Broken, Container, write

__all__ = ["CHAIN_MAX", "BrokenArtifact", "State", "fold", "messages", "read_receipt", "write_artifact"]

CHAIN_MAX = 16
"""A task whose state lies in so many artifacts writes it whole again. It depends on the history of the state alone,
never on time, so the bytes of an artifact do not."""

Open = Callable[[Task], Container]
Known = Callable[[Task], Collection[str] | None]


class BrokenArtifact(Exception):
    """An artifact that a task reads is missing or does not check."""

    def __init__(self, task: Task, why: str) -> None:
        super().__init__(f"{task}: {why}")
        self.task = task


@dataclass(slots=True)
class State:
    """The state of a partition in memory.

    arrays      by name: views of mapped artifacts, or arrays of its own
    own         the names of those that are its own: they alone may be changed where they are
    """

    arrays: dict[str, Value] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)

    def view(self) -> dict[str, Value]:
        """The arrays as a program may see them: it changes its state by keep and change alone."""
        return {name: _read_only(value) if name in self.own else value for name, value in self.arrays.items()}

    def changed(self, rows: np.ndarray[Any, Any], values: Mapping[str, Value]) -> State:
        """A state of its own with other values in some rows of some arrays; this one stays as it is."""
        after = State(dict(self.arrays))
        after.change(rows, values)
        return after

    def change(self, rows: np.ndarray[Any, Any], values: Mapping[str, Value]) -> None:
        """Replace some rows of some arrays, where they are; those that are not its own become that before."""
        for name, value in values.items():
            if name not in self.own:
                self.arrays[name] = np.array(self.arrays[name])
                self.own.add(name)
            array = self.arrays[name]
            assert isinstance(array, np.ndarray)
            if isinstance(value, np.ndarray) and len(rows):
                array, value = _in_one_piece(array), _in_one_piece(value)
            array[rows] = value

    def let_go(self) -> None:
        """Keep no artifact mapped: copy what is not its own."""
        for name in self.arrays.keys() - self.own:
            value = self.arrays[name]
            self.arrays[name] = Strings(value.offsets.copy(), value.utf8.copy()) if isinstance(value, Strings) else np.array(value)
            self.own.add(name)

    @property
    def bytes(self) -> int:
        """What its arrays take."""
        return sum(v.offsets.nbytes + v.utf8.nbytes if isinstance(v, Strings) else v.nbytes for v in self.arrays.values())


def _read_only(value: Value) -> Value:
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    return value


_PIECES = {2: np.uint16, 4: np.uint32, 8: np.uint64, 16: np.complex128}


def _in_one_piece(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An array whose rows are a few bytes as one with one number a row, which numpy copies several times as fast.

    The two arrays of a change come out alike: `_check_change` has seen to one shape and dtype, `as_value` to contiguous rows.
    """
    row_bytes = array.nbytes // len(array)
    if array.ndim < 2 or row_bytes not in _PIECES or not array.flags.c_contiguous:
        return array
    return array.reshape(len(array), -1).view(_PIECES[row_bytes]).reshape(-1)


def write_artifact(
    path: Path, task: Task, outputs: Outputs, chain: tuple[int, ...], before: Callable[[], State]
) -> tuple[Receipt, State | None]:
    """Write what a task put out; returns its receipt, and, if rows of the state were changed, the state after it.

    chain: the rounds that hold the state before the task; before: that state, asked for only where rows of it change. Nothing of it is
    touched before all is written: messages may be views of it.
    """
    sections: dict[str, Mapping[str, Value]] = {}
    for (role, receiver), arrays in outputs.messages.items():
        sections[f"all/{role}" if receiver is None else f"to/{role}/{receiver}"] = arrays
    chain, after = _put_state(sections, task, outputs, chain, before)
    if outputs.results:
        sections["result"] = outputs.results
    holds = bool(outputs.results)
    note = {"task": str(task), "chain": chain, "holds": holds, "stop": outputs.stop, "metrics": outputs.metrics}
    digest = write(path, sections, note)
    if outputs.rows is not None and after is None:
        assert outputs.state is not None
        after = before()
        after.change(outputs.rows, outputs.state)
    return Receipt(digest, chain, holds, outputs.stop, outputs.metrics), after


def _put_state(
    sections: dict[str, Mapping[str, Value]], task: Task, outputs: Outputs, chain: tuple[int, ...], before: Callable[[], State]
) -> tuple[tuple[int, ...], State | None]:
    """Add the state to the sections; returns the chain after the task, and the state if a long chain was folded."""
    if outputs.state is None:
        return chain, None
    if outputs.rows is None:
        sections["state"] = outputs.state
        return (task.round,), None
    if not chain:
        raise ProgramError(f'role "{task.role}" changes a state that it never kept', "call part.keep(...) first")
    _check_change(before().arrays, outputs.rows, outputs.state)
    if len(chain) >= CHAIN_MAX:
        after = before().changed(outputs.rows, outputs.state)
        sections["state"] = after.arrays
        return (task.round,), after
    sections["change"] = {**outputs.state, "@rows": outputs.rows}
    return (*chain, task.round), None


def _check_change(state: Mapping[str, Value], rows: np.ndarray[Any, Any], values: Mapping[str, Value]) -> None:
    """Raise ProgramError where a change does not fit its state."""
    if rows.ndim != 1:
        raise ProgramError(f"change: rows has shape {rows.shape}", "rows is a list of row numbers, in one dimension")
    for name, value in values.items():
        old = state.get(name)
        if not isinstance(old, np.ndarray) or not isinstance(value, np.ndarray) or not old.ndim:
            raise ProgramError(f'change("{name}"): the state has no such array', f"it has: {', '.join(state)}")
        if value.shape != (len(rows), *old.shape[1:]) or value.dtype != old.dtype:
            raise ProgramError(f'change("{name}"): {value.dtype} {value.shape} for {len(rows)} rows of {old.dtype} {old.shape}')
        if len(rows) and (rows.min() < 0 or rows.max() >= len(old)):
            raise ProgramError(f'change("{name}"): row {rows.min()} or {rows.max()} is outside 0..{len(old) - 1}')


def read_receipt(container: Container) -> Receipt:
    """The receipt in an artifact's note. Raises Broken if it is no artifact."""
    note = container.note
    try:
        return Receipt(container.digest, tuple(note["chain"]), note["holds"], note["stop"], note["metrics"])
    except KeyError as missing:
        raise Broken(f"{container.path} is no artifact: no {missing}") from None


def fold(open_artifact: Open, role: str, partition: int, chain: tuple[int, ...], state: State | None = None) -> State:
    """The state of a partition, folded from the artifacts of a chain of rounds. Raises BrokenArtifact.

    state: the state before this chain, of which this makes the one after it.
    """
    state = state or State()
    for round in chain:
        task = Task(role, round, partition)
        try:
            container = open_artifact(task)
            change = dict(container.section("change"))
            whole = {} if change else container.section("state")
        except Broken as broken:
            raise BrokenArtifact(task, str(broken)) from None
        if change:
            rows = change.pop("@rows")
            assert isinstance(rows, np.ndarray)
            state.change(rows, change)
        else:
            state = State(dict(whole))
    return state


def messages(open_artifact: Open, known: Known, plan: Plan, sender: PhaseKey, reader: Task) -> Iterator[Message]:
    """The messages of a phase to a task, one at a time, in partition order. Raises BrokenArtifact.

    known: the sections of an artifact, if they are known: one that has nothing for the reader is not opened.
    """
    mine = f"all/{reader.role}", f"to/{reader.role}/{reader.partition}"
    for task in plan.tasks(sender):
        sections = known(task)
        if sections is not None and not any(name in sections for name in mine):
            continue
        try:
            container = open_artifact(task)
            arrays = {**container.section(mine[0]), **container.section(mine[1])}
        except Broken as broken:
            raise BrokenArtifact(task, str(broken)) from None
        if arrays:
            yield Message(task.partition, arrays)
