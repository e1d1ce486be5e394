"""Scenarios: a program's shape, machines, costs, faults, and what must hold; read from TOML, with messages for what cannot be.

what = "..."                    a sentence
seed = 1                        of everything that happens
[program]                       rounds
[program.roles.NAME]            see Work
[machines]                      see Machines
[costs]                         see Costs
[faults]                        see Faults
[limits]                        see Bounds
[holds]                         see Holds
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regrow.errors import DataError, ProgramError
from regrow.program import Role, Roles
from regrow.simulation.allowed import SIZE_MAX, why_not

__all__ = ["Bounds", "Costs", "Faults", "Holds", "Machines", "Scenario", "Work", "read_scenario"]

TOP = "the file"
SECTIONS_MAX = 2_000_000_000
"""More messages than this in a round are no plan: somebody has to write and open each of them."""


@dataclass(frozen=True, slots=True)
class Work:
    """One role: how many partitions, what it reads, and what one of its tasks costs.

    seconds         of computing, on a machine of speed 1
    spread          the standard deviation of the logarithm of that time, from task to task
    message_bytes   what one task sends to each role that reads it, in all
    fan_out         to how many partitions of it: a reader opens as many sections as are sent to it. None: to all of them
    state_bytes     what one partition keeps from round to round; 0: it keeps none
    every           runs in every so many rounds
    """

    partitions: int
    seconds: float
    reads: Mapping[str, int] = field(default_factory=dict)
    spread: float = 0.1
    message_bytes: float = 0.0
    fan_out: int | None = None
    state_bytes: float = 0.0
    every: int = 1


@dataclass(frozen=True, slots=True)
class Machines:
    """Where workers live.

    count, workers      machines, and workers on each
    zones               machines of a zone may be lost together
    speed_spread        the standard deviation of the logarithm of their speeds
    replace_seconds     the mean time after which a lost machine is replaced
    replaced            the share of lost machines that are ever replaced
    restart_seconds     after so long a worker that was lost alone begins anew on its machine, once that is noticed
    vacant              so many workers fewer are on the last of the machines that are there at the beginning
    """

    count: int
    workers: int = 1
    zones: int = 1
    speed_spread: float = 0.0
    replace_seconds: float = 60.0
    replaced: float = 1.0
    restart_seconds: float = 1.0
    vacant: int = 0

    @property
    def places(self) -> int:
        """Workers in all."""
        return self.count * self.workers - self.vacant


@dataclass(frozen=True, slots=True)
class Costs:
    """What moving things costs. Bandwidths are in bytes a second; that of the network is a machine's, shared by its workers.

    section_seconds     of opening a message: a request, a check
    commit_seconds      of publishing an artifact, besides writing and copying it
    warm_seconds        before the first task of every worker: loading the program
    start_cpu_seconds   what beginning again takes from those at work on its machine, all together: they end so much later
    """

    network_bandwidth: float = 1e9
    network_delay_seconds: float = 0.001
    storage_bandwidth: float = 1e9
    storage_delay_seconds: float = 0.02
    section_seconds: float = 0.0001
    commit_seconds: float = 0.01
    warm_seconds: float = 2.0
    start_cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong. Rates are per hour of one thing of its kind; shares are of the losses of machines and workers.

    worker_per_hour, machine_per_hour, zone_per_hour    lost: one process; a machine with all its workers and artifacts; a whole zone
    notice, notice_seconds      the share of machines that are taken away after a notice, and how long before
    frozen, frozen_seconds      the share of lost workers that freeze instead: noticed late; so much later they wake and answer
    slow_per_hour, slow_factor, slow_seconds    machines that become slow for a while
    artifact_per_hour           artifacts that are lost or damaged with both copies, in the whole job
    coordinator_per_hour, coordinator_seconds   the coordinator is lost; the next one begins so much later
    power_per_hour              all machines are lost at once, and the coordinator: what is in cuts is left
    flipped                     the share of repeated tasks (what they made was lost, or they were slow) that put out other bytes than
                                before: the coordinator must name that; the run fails, and is resumed from a cut from before it
    detect_seconds              until a killed worker is known to be lost (a closed socket)
    frozen_detect_seconds       until a frozen one is (heartbeats)
    trace, trace_scale          a file of machines that came and went (see `traces`), each standing for so many of ours
    """

    worker_per_hour: float = 0.0
    machine_per_hour: float = 0.0
    zone_per_hour: float = 0.0
    notice: float = 0.0
    notice_seconds: float = 30.0
    frozen: float = 0.0
    frozen_seconds: float = 60.0
    slow_per_hour: float = 0.0
    slow_factor: float = 5.0
    slow_seconds: float = 600.0
    artifact_per_hour: float = 0.0
    coordinator_per_hour: float = 0.0
    coordinator_seconds: float = 5.0
    power_per_hour: float = 0.0
    flipped: float = 0.0
    detect_seconds: float = 1.0
    frozen_detect_seconds: float = 5.0
    trace: str = ""
    trace_scale: int = 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """How the coordinator is set."""

    cut_every_seconds: float = 300.0
    run_ahead_rounds: int = 2


@dataclass(frozen=True, slots=True)
class Holds:
    """What must hold at the end, besides all promises of the coordinator, which must hold all the time.

    goodput_min         useful worker-seconds / paid worker-seconds
    hours_max           of virtual time
    redone_share_max    seconds of attempts that came to nothing / useful seconds
    task_bytes_max      memory of the coordinator for each worker and task that it knows
    """

    goodput_min: float = 0.0
    hours_max: float = 1e6
    redone_share_max: float = 1e6
    task_bytes_max: float = 4096.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A world, whole: what happens in it follows from these values alone."""

    rounds: int
    roles: Mapping[str, Work]
    machines: Machines
    costs: Costs = Costs()
    faults: Faults = Faults()
    limits: Bounds = Bounds()
    holds: Holds = Holds()
    seed: int = 1
    what: str = ""

    def program(self) -> Roles:
        """The roles as the coordinator knows them. Raises ProgramError."""
        roles = {name: Role(work.partitions, reads=dict(work.reads), every=work.every) for name, work in self.roles.items()}
        return Roles(self.rounds, **roles)

    def sections(self, reader: str) -> float:
        """How many messages one task of a role opens, on the average."""
        return sum(self.sections_of(reader, sender) for sender in self.roles[reader].reads)

    def sections_of(self, reader: str, sender: str) -> float:
        """How many of them are of this sender."""
        mine, other = self.roles[reader].partitions, self.roles[sender]
        return _fan_out(other, mine) * other.partitions / mine

    def bytes_in(self, reader: str) -> float:
        """What one task of a role reads of messages, on the average."""
        return sum(self.bytes_of(reader, sender) for sender in self.roles[reader].reads)

    def bytes_of(self, reader: str, sender: str) -> float:
        """What of it is of this sender."""
        return self.roles[sender].message_bytes * self.roles[sender].partitions / self.roles[reader].partitions


def _fan_out(sender: Work, readers: int) -> int:
    return readers if sender.fan_out is None else min(sender.fan_out, readers)


# Reading


def read_scenario(path: Path) -> Scenario:
    """A scenario of a TOML file. Raises DataError that names file, line and key."""
    try:
        found = tomllib.loads(path.read_text())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "name a scenario, e.g. scenarios/spot.toml") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no TOML: {error}", "see https://toml.io") from None
    program = found.pop("program", {})
    roles = program.pop("roles", {}) if isinstance(program, dict) else {}
    if not isinstance(program, dict) or not isinstance(roles, dict) or not roles:
        raise DataError(f"{path}: [program.roles] is missing", "give each role a table, e.g. [program.roles.docs]")
    _check_keys(path, "[program]", program, ["rounds", "roles"])
    if "rounds" not in program:
        raise DataError(f'{path}: [program] lacks "rounds"', "add it: rounds = ...")
    _check_keys(path, TOP, found, [f.name for f in dataclasses.fields(Scenario) if f.name not in ("rounds", "roles")] + ["program"])
    parts: dict[str, Any] = {"rounds": _value(path, "[program]", "rounds", program["rounds"], int)}
    parts["roles"] = {name: _table(path, f"[program.roles.{name}]", table, Work) for name, table in roles.items()}
    kinds = {"machines": Machines, "costs": Costs, "faults": Faults, "limits": Bounds, "holds": Holds}
    for name, kind in kinds.items():
        if name in found or name == "machines":
            parts[name] = _table(path, f"[{name}]", found.get(name, {}), kind)
    for name, simple in (("seed", int), ("what", str)):
        if name in found:
            parts[name] = _value(path, "", name, found[name], simple)
    scenario = Scenario(**parts)
    _check(path, scenario)
    return scenario


def _check(path: Path, scenario: Scenario) -> None:
    """What cannot be."""
    for name, work in scenario.roles.items():
        for other in work.reads:
            if other not in scenario.roles:
                where = f"[program.roles.{name}]"
                raise DataError(
                    f'{_place(path, where, "reads")}: {where} reads "{other}", which is no role', f"the roles: {', '.join(scenario.roles)}"
                )
    try:
        scenario.program()
    except ProgramError as error:
        raise DataError(f"{path}: {error.message}", error.advice) from None
    for name, work in scenario.roles.items():
        sections = scenario.sections(name) * work.partitions
        if sections > SECTIONS_MAX:
            raise DataError(
                f"{path}: [program.roles.{name}] opens {sections:,.0f} messages a round, more than anybody can write",
                "say to how many partitions each task sends, fan_out = 500; or exchange in two levels, by a role of fewer partitions",
            )
    machines = scenario.machines
    if machines.count * machines.workers > SIZE_MAX:
        raise DataError(f"{path}: [machines] count x workers = {machines.count * machines.workers:,}", f"at most {SIZE_MAX:,} workers")
    if machines.vacant >= machines.workers:
        raise DataError(f"{path}: [machines] vacant = {machines.vacant:,}", f"fewer than the {machines.workers:,} workers of a machine")


def _check_keys(path: Path, where: str, table: Mapping[str, Any], known: list[str]) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            raise DataError(
                f'{_place(path, where, key)}: {where} has no key "{key}"',
                (f'did you mean "{near[0]}"? ' if near else "") + f"It knows: {', '.join(known)}",
            )


def _place(path: Path, where: str, key: str) -> str:
    """The file, and the line in which a key of a table stands."""
    top = where in ("", TOP)
    table, wanted = "", "" if top else where
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.partition("#")[0].replace(" ", "")
        table = text if text.startswith("[") else table
        if (table == wanted and text.partition("=")[0].strip("\"'") == key) or (top and text.startswith((f"[{key}]", f"[{key}."))):
            return f"{path}, line {number:,}"
    return str(path)


def _table(path: Path, where: str, table: Any, kind: type[Any]) -> Any:
    if not isinstance(table, dict):
        raise DataError(f"{path}: {where} is no table", f"write {where} and below it key = value")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    _check_keys(path, where, table, list(fields))
    hints = typing.get_type_hints(kind)
    for name, f in fields.items():
        if name not in table and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise DataError(f'{path}: {where} lacks "{name}"', f"add it: {name} = ...")
    return kind(**{name: _value(path, where, name, value, hints[name]) for name, value in table.items()})


def _value(path: Path, where: str, name: str, value: Any, kind: Any) -> Any:
    at = f"{_place(path, where, name)}: {where} {name}".replace(":  ", ": ")
    if isinstance(kind, types.UnionType):
        kind = next(one for one in kind.__args__ if one is not type(None))
    if typing.get_origin(kind) is not None:
        good = isinstance(value, dict) and all(isinstance(one, int) for one in value.values())
        what = "names and offsets, e.g. { docs = -1 }"
    elif kind is float:
        good, what = isinstance(value, (int, float)) and not isinstance(value, bool), "a number"
    else:
        good = isinstance(value, kind) and not isinstance(value, bool)
        what = {int: "a whole number", str: "a text in quotes"}[kind]
    if not good:
        raise DataError(f"{at} = {value!r}", f"it is {what}")
    if kind in (int, float) and (why := why_not(name, value)):
        raise DataError(f"{at} = {value}", why)
    return float(value) if kind is float else value
