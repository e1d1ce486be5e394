"""An artifact: everything that one task put out, as one container.

Sections: "to/<role>/<receiver>" and "all/<role>" (messages), "state" or "change" (the whole state, or the rows that
changed), "result". The note holds the receipt: what the coordinator must know without reading the arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from regrow.coordinator.events import Receipt
from regrow.coordinator.plan import PhaseKey, Plan, Task
from regrow.errors import ProgramError
from regrow.program import Message, Outputs, Value
from regrow.store.container import Broken, Container, write

__all__ = ["CHAIN_MAX", "BrokenArtifact", "messages", "read_receipt", "read_state", "write_artifact"]

CHAIN_MAX = 16
"""A task whose state lies in so many artifacts writes it whole again. It depends on the history of the state alone,
never on time, so the bytes of an artifact do not."""

Open = Callable[[Task], Container]


class BrokenArtifact(Exception):
    """An artifact that a task reads is missing or does not check."""

    def __init__(self, task: Task, why: str) -> None:
        super().__init__(f"{task}: {why}")
        self.task = task


def write_artifact(path: Path, task: Task, outputs: Outputs, chain: tuple[int, ...], state: Callable[[], Mapping[str, Value]]) -> Receipt:
    """Write what a task put out; returns its receipt.

    chain: the rounds that hold the state before the task; state: that state, read only to fold a long chain.
    """
    sections: dict[str, Mapping[str, Value]] = {}
    for (role, receiver), arrays in outputs.messages.items():
        sections[f"all/{role}" if receiver is None else f"to/{role}/{receiver}"] = arrays
    chain = _put_state(sections, task, outputs, chain, state)
    if outputs.results:
        sections["result"] = outputs.results
    holds = bool(outputs.results)
    note = {"task": str(task), "chain": chain, "holds": holds, "stop": outputs.stop, "metrics": outputs.metrics}
    digest = write(path, sections, note)
    return Receipt(digest, chain, holds, outputs.stop, outputs.metrics)


def _put_state(
    sections: dict[str, Mapping[str, Value]],
    task: Task,
    outputs: Outputs,
    chain: tuple[int, ...],
    state: Callable[[], Mapping[str, Value]],
) -> tuple[int, ...]:
    """Add the state to the sections; returns the chain after the task."""
    if outputs.state is None:
        return chain
    if outputs.rows is None:
        sections["state"] = outputs.state
        return (task.round,)
    if not chain:
        raise ProgramError(f'role "{task.role}" changes a state that it never kept', "call part.keep(...) first")
    if len(chain) >= CHAIN_MAX:
        _check_change(state(), outputs.rows, outputs.state)
        sections["state"] = _changed(dict(state()), outputs.rows, outputs.state, set())
        return (task.round,)
    _check_change(state(), outputs.rows, outputs.state)
    sections["change"] = {**outputs.state, "@rows": outputs.rows}
    return (*chain, task.round)


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


def _changed(state: dict[str, Value], rows: Any, values: Mapping[str, Value], copied: set[str]) -> dict[str, Value]:
    """Replace some rows of some arrays of a state. Arrays named in `copied` are its own; others are copied before, and added."""
    for name, value in values.items():
        if name not in copied:
            copied.add(name)
            state[name] = np.array(state[name])
        array = state[name]
        assert isinstance(array, np.ndarray)
        array[rows] = value
    return state


def read_receipt(container: Container) -> Receipt:
    """The receipt in an artifact's note. Raises Broken if it is no artifact."""
    note = container.note
    try:
        return Receipt(container.digest, tuple(note["chain"]), note["holds"], note["stop"], note["metrics"])
    except KeyError as missing:
        raise Broken(f"{container.path} is no artifact: no {missing}") from None


def read_state(open_artifact: Open, role: str, partition: int, chain: tuple[int, ...]) -> dict[str, Value]:
    """The state of a partition, folded from the artifacts of a chain of rounds. Raises BrokenArtifact."""
    state: dict[str, Value] = {}
    copied: set[str] = set()
    for round in chain:
        task = Task(role, round, partition)
        try:
            container = open_artifact(task)
            whole = container.section("state")
            change = dict(container.section("change"))
        except Broken as broken:
            raise BrokenArtifact(task, str(broken)) from None
        if change:
            rows = change.pop("@rows")
            state = _changed(state, rows, change, copied)
        else:
            state, copied = dict(whole), set()
    for name in copied:
        array = state[name]
        assert isinstance(array, np.ndarray)
        array.flags.writeable = False  # as those that are mapped: the state changes by keep and change alone
    return state


def messages(open_artifact: Open, plan: Plan, sender: PhaseKey, reader: Task) -> Iterator[Message]:
    """The messages of a phase to a task, one at a time, in partition order. Raises BrokenArtifact."""
    for task in plan.tasks(sender):
        try:
            container = open_artifact(task)
            arrays = {**container.section(f"all/{reader.role}"), **container.section(f"to/{reader.role}/{reader.partition}")}
        except Broken as broken:
            raise BrokenArtifact(task, str(broken)) from None
        if arrays:
            yield Message(task.partition, arrays)
