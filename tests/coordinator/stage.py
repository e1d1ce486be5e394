"""Plays: a text of events, under each the actions with which the coordinator answers. The stage performs them on a disk of names.

    rounds 2                                    the program: rounds, then a line for each role
    role docs 2 reads words:-1                  name, partitions, and what a Role takes
    limits cut_every_seconds=1                  optional
    verify                                      optional: rounds 0 and 1 are checked

    0.0 joined w1                               time, what happens, who
        tell worker joined worker=w1 ...        what the coordinator asks for (written by the test)

Events: joined W [checks] [CPU=x] | draining W [SECONDS] | lost W CAUSE, or crashed, killed, memory | done W [digest=D] [chain=0+1] [holds]
[stop] | late W ATTEMPT | failed W KIND CAUSE [of TASK,TASK] | artifacts TASK,TASK | cut made N | cut failed N CAUSE | saved | stop CAUSE
| tick | restart. Lines that begin with # tell the story.
"""

from __future__ import annotations

from typing import Any

from regrow.coordinator.actions import (
    Action,
    Commit,
    Discard,
    DropCut,
    Fail,
    Finish,
    Forget,
    KeepAside,
    MakeCut,
    Pause,
    Record,
    Release,
    Replace,
    Save,
    Start,
    Tell,
)
from regrow.coordinator.cuts import Cut
from regrow.coordinator.events import (
    ArtifactsLost,
    AttemptDone,
    AttemptFailed,
    CutFailed,
    CutMade,
    Event,
    Receipt,
    Saved,
    StopAsked,
    Tick,
    WorkerDraining,
    WorkerJoined,
    WorkerLost,
)
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import Attempt, Plan, Task
from regrow.coordinator.policy import Limits
from regrow.program import Role, Roles


class Stage:
    """One play."""

    def __init__(self, text: str) -> None:
        self.rounds, self.roles, self.limits, self.verify = 1, {}, Limits(), False
        self.machine: Machine | None = None
        self.present: dict[Task, Receipt] = {}
        self.records: list[Record] = []
        self.cuts: dict[int, Cut] = {}
        self.answers: dict[Attempt, Receipt] = {}
        self.text = text

    def play(self) -> str:
        """The text with the actions that really follow."""
        lines = []
        for line in self.text.splitlines():
            if line.startswith("    "):
                continue
            lines.append(line)
            words = line.split()
            if not words or line.startswith("#"):
                continue
            if words[0][0].isdigit():
                lines += [f"    {said}" for action in self.event(float(words[0]), words[1:]) for said in [self.perform(action)]]
            else:
                self.setting(words)
        return "\n".join(lines) + "\n"

    def setting(self, words: list[str]) -> None:
        if words[0] == "rounds":
            self.rounds = int(words[1])
        elif words[0] == "role":
            options: dict[str, Any] = {"partitions": int(words[2])}
            for word in words[3:]:
                name, value = word.split("=")
                if name == "reads":
                    options[name] = {role: int(offset) for role, offset in (read.split(":") for read in value.split(","))}
                elif name == "states":
                    options[name] = tuple(value.split(","))
                else:
                    options[name] = int(value) if value.isdigit() else value
            self.roles[words[1]] = Role(**options)
        elif words[0] == "limits":
            self.limits = Limits(**{name: float(value) for name, value in (word.split("=") for word in words[1:])})
        elif words[0] == "verify":
            self.verify = True
        else:
            raise ValueError(f"what is {words[0]}?")

    def event(self, now: float, words: list[str]) -> list[Action]:
        if words[0] in ("begin", "restart"):
            self.machine = Machine(Plan(Roles(self.rounds, **self.roles)), self.limits, verify=self.verify)
            return self.machine.begin(now, dict(self.present), list(self.records), list(self.cuts.values()))
        assert self.machine is not None, "a play begins with: 0.0 begin"
        return self.machine.handle(self.read(words), now)

    def read(self, words: list[str]) -> Event:
        assert self.machine is not None
        match words:
            case ["joined", worker, *rest]:
                environment = dict(word.split("=") for word in rest if "=" in word)
                return WorkerJoined(worker, checks="checks" in rest, environment=environment)
            case ["draining", worker, *notice]:
                return WorkerDraining(worker, "SIGTERM", float(notice[0]) if notice else None)
            case ["lost" | "crashed" | "killed" | "memory" as how, worker, *cause]:
                kind = {"lost": "loss", "crashed": "crash"}.get(how, how)
                held = [int(word.removeprefix("held=")) for word in cause if word.startswith("held=")]
                return WorkerLost(worker, cause[-1] if held else " ".join(cause), kind, *held)  # type: ignore[arg-type]
            case ["done", worker, *facts]:
                attempt = self.machine.running[worker].attempt
                self.answers[attempt] = receipt = self.receipt(attempt.task, facts)
                return AttemptDone(worker, attempt, receipt)
            case ["late", worker, attempt_name]:
                name, _, number = attempt_name.rpartition(".")
                return AttemptDone(worker, Attempt(Task.parse(name), int(number)), self.receipt(Task.parse(name), []))
            case ["failed", worker, kind, *cause]:
                lost = tuple(map(Task.parse, cause[-1].split(","))) if "of" in cause else ()
                return AttemptFailed(worker, self.machine.running[worker].attempt, kind, " ".join(cause), lost)  # type: ignore[arg-type]
            case ["artifacts", names, *cause]:
                return ArtifactsLost(tuple(map(Task.parse, names.split(","))), " ".join(cause))
            case ["cut", "made", round]:
                return CutMade(int(round))
            case ["cut", "failed", round, *cause]:
                return CutFailed(int(round), " ".join(cause))
            case ["saved", *cause]:
                return Saved(" ".join(cause))
            case ["stop", *cause]:
                return StopAsked(" ".join(cause))
            case ["tick"]:
                return Tick()
        raise ValueError(f"what is {' '.join(words)}?")

    def receipt(self, task: Task, facts: list[str]) -> Receipt:
        given = dict(fact.split("=") for fact in facts if "=" in fact)
        chain = tuple(int(round) for round in given["chain"].split("+")) if "chain" in given else ()
        return Receipt(given.get("digest", f"<{task}>"), chain, "holds" in facts, "stop" in facts, {"done": 1})

    def perform(self, action: Action) -> str:
        """Do it on the disk of names, and say it in a line."""
        match action:
            case Start(worker, attempt, chain):
                return f"start {worker} {attempt}" + (f" from {'+'.join(map(str, chain))}" if chain else "")
            case Commit(attempt):
                self.present[attempt.task] = self.answers.pop(attempt)
                return f"commit {attempt}"
            case Discard(attempt):
                return f"discard {attempt}"
            case Record(phase, metrics, stop, stateless, holds):
                self.records.append(action)
                facts = [name for name, true in (("stop", stop), ("stateless", stateless), ("holds", holds)) if true]
                return " ".join([f"record {phase.role}.{phase.round}", f"done={metrics['done']}", *facts])
            case Forget(tasks):
                for task in tasks:
                    self.present.pop(task, None)
                return f"forget {' '.join(map(str, tasks))}"
            case MakeCut(round, tasks):
                self.cuts[round] = Cut(round, frozenset(tasks))
                return f"make cut {round}: {' '.join(map(str, tasks))}"
            case DropCut(round):
                self.cuts.pop(round, None)
                return f"drop cut {round}"
            case Save():
                return "save"
            case KeepAside(task, attempt, worker):
                return f"keep aside {attempt or task} by {worker}"
            case Replace(worker):
                return f"replace {worker}"
            case Release(worker):
                return f"release {worker}"
            case Finish(round):
                return f"finish {round}"
            case Fail(kind, reason):
                return f"fail {kind}: {' / '.join(reason.splitlines())}"
            case Pause(reason):
                return f"pause: {reason}"
            case Tell(what, facts):
                return " ".join([f"tell {what}:", *(f"{name}={value}" for name, value in facts.items())])
