"""What a user writes: a `Program` with a few roles, and what a role method meets: its `Partition`.

A program has roles; a role is split into a fixed number of partitions; in each round each partition runs one task,
a pure function

    (fixed data, state after the last round, messages addressed to it) -> (new state, messages, metrics, results)

This room knows nothing of files, processes or time. The nearest relatives of the model are MapReduce (Dean and
Ghemawat, OSDI 2004: deterministic operators, no state between rounds) and EasyScale (SC 2023: consistent training under
elasticity, by pausing everybody).
"""

from __future__ import annotations

import dataclasses
import keyword
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from regrow.errors import DataError, ProgramError
from regrow.packed import Strings

__all__ = ["Arrays", "Data", "Fixed", "Inputs", "Message", "Outputs", "Partition", "Program", "Results", "Role", "Roles"]

Array = npt.NDArray[Any]
Value = Array | Strings
Arrays = Mapping[str, Value]
T = TypeVar("T")

LAST = "last"
ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of work, split into `partitions`.

    data        the layout whose i-th part is `part.fixed` of partition i
    turn        0: that part stays. Otherwise the data come in turns of so many rounds: partition i reads part i in the first turn, part
                i + partitions in the second, and so on; after the last part of the layout from the beginning again
    reads       roles whose messages it reads -> 0 (this round's), -1 (the last round's), or (0, -1)
    every       runs only in rounds 0, every, 2 * every, ...; who reads it gets the newest round in which it ran
    when        "always", or "last": once, after the end is known
    states      (only when="last") roles whose last state it reads
    """

    partitions: int
    data: str | None = None
    reads: Mapping[str, int | tuple[int, ...]] = field(default_factory=dict)
    every: int = 1
    when: str = ALWAYS
    states: tuple[str, ...] = ()
    turn: int = 0

    def part_of(self, index: int, round: int, parts: int) -> int:
        """Which of the `parts` of its layout partition `index` reads in a round."""
        return (round // self.turn * self.partitions + index) % parts if self.turn else index

    def offsets(self, role: str) -> tuple[int, ...]:
        """The offsets at which this role reads another, each once, ascending."""
        given = self.reads.get(role, ())
        return tuple(sorted({given} if isinstance(given, int) else set(given)))


class _Named(Mapping[str, T]):
    """Things by name, read-only."""

    def __init__(self, named: Mapping[str, T]) -> None:
        self._named = named

    def __getitem__(self, name: str) -> T:
        return self._named[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)


class Roles(_Named[Role]):
    """The roles of a program by name, and the number of rounds after which it ends if no task stops it before.

    Raises ProgramError for a read that cannot be: an unknown role, an offset other than 0 or -1, a circle of reads of the same
    round, a name that is no identifier.
    """

    def __init__(self, rounds: int = 1, /, **roles: Role) -> None:
        self.rounds = rounds
        super().__init__(roles)
        _check_roles(rounds, roles)


def _check_roles(rounds: int, roles: Mapping[str, Role]) -> None:
    if not roles:
        raise ProgramError("the program has no roles", "return Roles(name=Role(partitions), ...) from roles()")
    if not isinstance(rounds, int) or rounds < 1:
        raise ProgramError(f"the program has {rounds} rounds", "a program runs at least one round")
    for name, role in roles.items():
        _check_role(name, role, roles)
    _check_circles(roles)


def _check_role(name: str, role: Role, roles: Mapping[str, Role]) -> None:
    if hasattr(Program, name):
        raise ProgramError(f'a role cannot be called "{name}"', "take another name: every program has a method of that one")
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ProgramError(f'a role cannot be called "{name}"', "take a name that is a Python identifier")
    if not isinstance(role, Role):
        raise ProgramError(
            f'role "{name}": {role!r:.60} is no Role',
            "write Roles(rounds, name=Role(partitions, ...), ...): the number of rounds comes first",
        )
    if not isinstance(role.reads, Mapping):
        raise ProgramError(f'role "{name}": reads={role.reads!r}', 'write reads={"other": 0}, or -1 for the last round')
    for what, value in (("partitions", role.partitions), ("every", role.every), ("turn", role.turn)):
        if not isinstance(value, int) or isinstance(value, bool):
            raise ProgramError(f'role "{name}": {what}={value!r}', "a whole number; n // m divides without a rest, n / m does not")
    if role.partitions < 1:
        raise ProgramError(f'role "{name}" has {role.partitions} partitions', "a role has at least one")
    if role.every < 1 or role.when not in (ALWAYS, LAST):
        raise ProgramError(f'role "{name}": every={role.every}, when="{role.when}"', 'every is at least 1; when is "always" or "last"')
    if role.turn < 0 or (role.turn and (role.data is None or role.when == LAST)):
        raise ProgramError(f'role "{name}": turn={role.turn}', "data come in turns of 1 or more rounds, in a role that runs always")
    if role.states and role.when != LAST:
        raise ProgramError(f'role "{name}" reads states but is not when="last"', "send what others need as messages")
    for other in (*role.reads, *role.states):
        if other not in roles:
            raise ProgramError(f'role "{name}" reads "{other}", which is no role', f"the roles are: {', '.join(roles)}")
        if roles[other].when == LAST and role.when != LAST:
            raise ProgramError(f'role "{name}" reads "{other}", which runs only after the end', 'make both when="last"')
    for other in role.reads:
        if not role.offsets(other) or set(role.offsets(other)) - {0, -1}:
            raise ProgramError(f'role "{name}" reads "{other}" at {role.reads[other]}', "an offset is 0 or -1")
        if role.when == LAST and role.offsets(other) != (0,):
            raise ProgramError(
                f'role "{name}" (when="last") reads "{other}" at {role.reads[other]}', "after the end there is only offset 0"
            )


def _check_circles(roles: Mapping[str, Role]) -> None:
    """Reads of the same round must form no circle: remove roles whose same-round reads are done until none is left."""
    left = {name: {other for other in role.reads if 0 in role.offsets(other)} for name, role in roles.items()}
    while left:
        free = [name for name, needs in left.items() if not needs & left.keys()]
        if not free:
            raise ProgramError(f"the roles {', '.join(left)} wait for each other in the same round", "let one of them read at offset -1")
        for name in free:
            del left[name]


class Data(_Named[int]):
    """What a program may know of its data before it runs: the number of partitions of each layout, and facts.

    Facts are small numbers such as `tokens`: the metrics of the program that prepared the data.
    """

    def __init__(self, layouts: Mapping[str, int], facts: Mapping[str, float] | None = None) -> None:
        super().__init__(layouts)
        self.facts: Mapping[str, float] = dict(facts or {})

    @property
    def partitions(self) -> int:
        """The number of partitions of the only layout."""
        if not len(self):
            raise DataError("the program reads data, and there is none", "name text files, e.g. regrow run my.py:Program data.txt")
        if len(self) != 1:
            raise ProgramError(f"the data has {len(self)} layouts: {', '.join(self)}", "name one, e.g. data['text']")
        return next(iter(self.values()))


class Fixed(_Named[Any]):
    """The fixed data of one partition: named arrays, memory-mapped and read-only."""

    def lines(self) -> Iterator[str]:
        """The lines of a part of a text, without their ends, decoded as UTF-8. Raises DataError for other bytes."""
        raw = bytes(memoryview(self["text"]))
        try:
            lines = raw.decode("utf-8").split("\n")  # str.splitlines() would also cut at form feeds and others
        except UnicodeDecodeError as error:
            raise self._no_utf8(raw, error) from None
        if not lines[-1]:
            lines.pop()
        for line in lines:
            yield line.removesuffix("\r")

    def _no_utf8(self, raw: bytes, error: UnicodeDecodeError) -> DataError:
        name, first = (self["file"][0], int(self["source"][1])) if "file" in self and "source" in self else ("the text", 1)
        line, byte = first + raw.count(b"\n", 0, error.start), error.start - raw.rfind(b"\n", 0, error.start)
        what = f"{name}, line {line:,}: byte {byte:,} of the line is 0x{raw[error.start]:02x}, which is not UTF-8"
        return DataError(what, f"convert the file, e.g. iconv -f LATIN1 -t UTF-8 {name}; or read the bytes of part.fixed['text']")


class Message(_Named[Any]):
    """What one partition sent in one round to one other: addressed and broadcast arrays by name."""

    def __init__(self, sender: int, arrays: Arrays) -> None:
        self.sender = sender
        super().__init__(arrays)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where a partition's inputs come from: who runs a task fills this in. All are read lazily.

    state       the state after the previous round
    messages    (role, offset) -> the messages of that inbox, in partition order
    states      role -> the last states of its partitions, in partition order
    """

    fixed: Callable[[], Arrays] = dict
    state: Callable[[], Arrays] = dict
    messages: Callable[[str, int], Iterable[Message]] = lambda role, offset: ()
    states: Callable[[str], Iterable[Arrays]] = lambda role: ()


@dataclass(slots=True)
class Outputs:
    """Everything a task puts out; it becomes one artifact.

    messages    (role, receiver or None for all) -> arrays
    state       None: unchanged; else the whole state, or, with `rows`, the rows that changed
    """

    messages: dict[tuple[str, int | None], dict[str, Value]] = field(default_factory=dict)
    state: dict[str, Value] | None = None
    rows: Array | None = None
    results: dict[str, Value] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    stop: bool = False


class Partition:
    """One partition of a role in one round: what its task reads, and where it puts what it makes."""

    def __init__(
        self, roles: Roles, role: str, index: int, round: int, key: Callable[..., np.uint64], inputs: Inputs | None = None
    ) -> None:
        self._roles = roles
        self._inputs = inputs or Inputs()
        self._fixed: Fixed | None = None
        self.key = key
        """key(stream, later=0): the key of the random numbers of this role, stream and round, for `regrow.rng`; or of a later round, for a
        program that goes on where an earlier run ended."""
        self.role = role
        self.index = index
        self.round = round
        self.outputs = Outputs()

    @property
    def partitions(self) -> int:
        """The number of partitions of this role."""
        return self._roles[self.role].partitions

    @property
    def rounds(self) -> int:
        """The number of rounds after which the program ends, unless it is stopped before."""
        return self._roles.rounds

    def due(self, every: int) -> bool:
        """Whether this is round 0, every, 2 * every, ...: for metrics that cost time."""
        return self.round % every == 0

    # What a task reads

    @property
    def fixed(self) -> Fixed:
        """The part of the role's layout that belongs to this partition."""
        if self._fixed is None:
            if self._roles[self.role].data is None:
                raise ProgramError(f'role "{self.role}" has no data', 'name a layout: Role(..., data="text")')
            self._fixed = Fixed(self._inputs.fixed())
        return self._fixed

    @property
    def state(self) -> Arrays:
        """The state that this partition kept last; empty before it kept any."""
        return self._inputs.state()

    def inbox(self, role: str, offset: int | None = None) -> Iterator[Message]:
        """The messages of a role to this partition, one at a time, in partition order; empty before the role has run.

        `offset` is needed only where the role reads several rounds of the other.
        """
        offsets = self._roles[self.role].offsets(role)
        if offset is None and len(offsets) == 1:
            offset = offsets[0]
        if offset is None or offset not in offsets:
            raise ProgramError(
                f'role "{self.role}" asks for the inbox of "{role}" at {offset}', f"it reads {dict(self._roles[self.role].reads)}"
            )
        return iter(self._inputs.messages(role, offset))

    def states(self, role: str) -> Iterator[Arrays]:
        """The last states of all partitions of a role, in partition order (only in a role that runs when="last")."""
        if role not in self._roles[self.role].states:
            raise ProgramError(f'role "{self.role}" asks for the states of "{role}"', f'declare it: Role(..., states=("{role}",))')
        return iter(self._inputs.states(role))

    # What a task puts out

    def send(self, role: str, receiver: int, **arrays: Any) -> None:
        """Send arrays to one partition of a role that reads this one. Final: the arrays must not change afterwards."""
        if not 0 <= receiver < self._reader(role).partitions:
            raise ProgramError(f'role "{self.role}" sends to partition {receiver} of "{role}"', f"it has {self._roles[role].partitions}")
        self._put(role, receiver, arrays)

    def broadcast(self, role: str, **arrays: Any) -> None:
        """Send the same arrays to all partitions of a role: stored once, read by all. Final, as `send`."""
        self._reader(role)
        self._put(role, None, arrays)

    def _reader(self, role: str) -> Role:
        reader = self._roles.get(role)
        if reader is None or self.role not in reader.reads:
            raise ProgramError(
                f'role "{self.role}" sends to "{role}", which does not read it', f'declare Role(..., reads={{"{self.role}": -1}})'
            )
        return reader

    def _put(self, role: str, receiver: int | None, arrays: Mapping[str, Any]) -> None:
        message = self.outputs.messages.setdefault((role, receiver), {})
        for name, value in arrays.items():
            twice = name in message or (receiver is not None and name in self.outputs.messages.get((role, None), {}))
            if receiver is None:
                twice = twice or any(name in sent for (to, _), sent in self.outputs.messages.items() if to == role)
            if twice:
                raise ProgramError(f'role "{self.role}" sends "{name}" to "{role}" twice', "one message per sender, receiver and round")
            message[name] = as_value(name, value)

    def keep(self, **arrays: Any) -> None:
        """Make these arrays the whole state of the partition."""
        if self.outputs.state is not None:
            raise ProgramError(f'role "{self.role}" changes its state twice in one task', "call keep or change once")
        self.outputs.state = {name: as_value(name, value) for name, value in arrays.items()}

    def change(self, rows: Array, **arrays: Any) -> None:
        """Put arrays[name] into rows `rows` of the state's arrays of those names: a delta on the previous state.

        rows: 1-d integers, each at most once; arrays: one row of values for each of them.
        """
        self.keep(**arrays)
        self.outputs.rows = np.ascontiguousarray(rows, dtype=np.int32 if getattr(rows, "dtype", None) == np.int32 else np.int64)

    def result(self, **arrays: Any) -> None:
        """Give arrays as results. Those of the last round in which the role ran count."""
        for name, value in arrays.items():
            if name in self.outputs.results:
                raise ProgramError(f'role "{self.role}" gives the result "{name}" twice')
            self.outputs.results[name] = as_value(name, value)

    def metric(self, name: str, value: float) -> None:
        """Report a number; it is added up over the partitions in partition order. Never a time or a fact of a machine."""
        if np.ndim(value) or np.asarray(value).dtype.kind not in "biuf":
            raise ProgramError(f'the metric "{name}" is {value!r:.60}', "a metric is one number")
        self.outputs.metrics[name] = self.outputs.metrics.get(name, 0) + (
            int(value) if isinstance(value, (int, np.integer)) else float(value)
        )

    def stop(self) -> None:
        """End the run with this round: the smallest round in which anybody calls this is the last one."""
        if self.partitions != 1 or self._roles[self.role].when == LAST:
            raise ProgramError(f'role "{self.role}" with {self.partitions} partitions calls stop()', "only a role of one partition may")
        self.outputs.stop = True


def as_value(name: str, value: Any) -> Value:
    """An array or packed strings, as they are stored; numbers and lists of numbers become arrays.

    Raises ProgramError for what has no fixed bytes (objects, complex structures).
    """
    if isinstance(value, Strings):
        return value
    array = np.asarray(value)
    if not array.size and isinstance(value, (list, tuple)):
        array = array.astype(np.uint8)  # numpy takes it for floats, and would make floats of the numbers that it is joined to
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise ProgramError(f'"{name}" has type {array.dtype}', "send numbers and booleans, or strings packed by regrow.strings([...])")
    return array if array.ndim == 0 else np.ascontiguousarray(array)


def _in_short(value: Any) -> str:
    """What an array or strings are, and the first of them."""
    what = f"{len(value):,} strings" if isinstance(value, Strings) else f"{value.dtype} {value.shape}"
    first = list(value[:SHOWN]) if isinstance(value, Strings) else [f"{item:.6g}" for item in value.ravel()[:SHOWN].tolist()]
    more = " ..." if (len(value) if isinstance(value, Strings) else value.size) > SHOWN else ""
    return f"{what}: {' '.join(first)}{more}" if first else what


SHOWN = 8
"""So many values of an array are shown where its program says nothing of it."""


class Results(_Named[Sequence[Arrays]]):
    """The results of a finished run: role -> the results of its partitions, in partition order; and the last metrics."""

    def __init__(self, results: Mapping[str, Sequence[Arrays]], metrics: Mapping[str, float], rounds: int) -> None:
        super().__init__(results)
        self.metrics = dict(metrics)
        self.rounds = rounds

    def concatenated(self, role: str, name: str) -> Any:
        """One named result of all partitions of a role, joined in partition order."""
        parts = [part[name] for part in self[role] if name in part]
        packed = [part for part in parts if isinstance(part, Strings)]
        if packed:
            return Strings.concatenate(packed)
        return np.concatenate([np.atleast_1d(part) for part in parts])


class Program:
    """Subclass this as a frozen dataclass: its fields are its parameters (JSON values), its methods its roles."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    results_kept: ClassVar[tuple[str, ...]] = ()
    """Roles whose results stay in the run beside the model (RUN/kept, a layout for each), for whoever goes on from it."""
    results_streamed: ClassVar[str] = ""
    """The role whose result `lines` (uint8) is the output of a program of one round that makes no model: it is given away
    in partition order while the run goes on (RUN/output.jsonl)."""

    def roles(self, data: Data) -> Roles:
        """The roles, given what is known of the data. A pure function: it is called in every process."""
        raise ProgramError(f"{type(self).__name__} does not say its roles", "define roles(self, data)")

    def model(self, results: Results) -> Mapping[str, Any]:
        """The arrays and strings of the trained model, from the results; all results by default, named role.name."""
        names = sorted({(role, name) for role in results for part in results[role] for name in part})
        return {f"{role}.{name}": results.concatenated(role, name) for role, name in names}

    def report(self, model: Mapping[str, Any]) -> str:
        """What `regrow run` prints of a model."""
        return "\n".join(f"{name}: {_in_short(value)}" for name, value in model.items())

    def report_of(self, model: Mapping[str, Any], about: Mapping[str, Any]) -> str:
        """The same, where model.json (`about`) says more of it than the arrays do: as `report`, unless a program has more to say."""
        return self.report(model)

    def warm(self) -> None:
        """Call the compiled kernels once on tiny arrays: done before the first worker starts, so that none compiles."""

    def parameters(self) -> dict[str, Any]:
        """The parameters as JSON values."""
        if not dataclasses.is_dataclass(self):
            raise ProgramError(f"{type(self).__name__} is no dataclass", "put @dataclass(frozen=True) above the class")
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
