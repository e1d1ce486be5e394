"""Plays of the hedging machine: a text of events, under each what it asks for.

    policy mode=race copies=3                   optional
    knows a 0.005 20                            optional: replica a has had so many answers of so many seconds

    0.000 joined a@rack1                        seconds, what happens, who
    0.010 asked 1 deadline=1.0 among=a,b        and units=
        start 1.0 a: first                      what it asks for (written by the test); 1.0 is attempt 0 of request 1
    0.015 answered 1.0 | failed 1.0 CAUSE [stop] | woken 1 | abandoned 1 | left a

Lines that begin with # tell the story.
"""

from __future__ import annotations

from regrow.serving.hedging import Hedging, Policy
from regrow.serving.moves import Abandoned, Action, Answered, Asked, Cancel, Event, Failed, Joined, Left, Lost, Start, Wake, Woken, Won


def played(text: str) -> str:
    """The text with what the machine really asks for."""
    machine, lines = Hedging(), []
    for line in text.splitlines():
        if line.startswith("    "):
            continue
        lines.append(line)
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] == "policy":
            settings = dict(word.split("=") for word in words[1:])
            numbers = {name: float(value) if "." in value else int(value) for name, value in settings.items() if name != "mode"}
            machine = Hedging(Policy(settings.get("mode", "hedge"), **numbers))
        elif words[0] == "knows":
            for _ in range(int(words[3])):
                machine.paces.add(words[1], float(words[2]))
        else:
            lines += [f"    {told(action)}" for action in machine.handle(read(words[1:]), float(words[0]))]
    return "\n".join(lines) + "\n"


def read(words: list[str]) -> Event:
    match words:
        case ["joined", place]:
            replica, _, host = place.partition("@")
            return Joined(replica, host)
        case ["left", replica]:
            return Left(replica)
        case ["asked", request, *more]:
            said = dict(word.split("=") for word in more)
            among = tuple(said["among"].split(",")) if "among" in said else None
            return Asked(int(request), float(said["deadline"]), float(said.get("units", 1)), among)
        case ["answered", which]:
            return Answered(*map(int, which.split(".")))
        case ["failed", which, *cause]:
            request, attempt = map(int, which.split("."))
            return Failed(request, attempt, " ".join(word for word in cause if word != "stop"), stop="stop" in cause)
        case ["woken", request]:
            return Woken(int(request))
        case ["abandoned", request]:
            return Abandoned(int(request))
    raise ValueError(f"what is {' '.join(words)}?")


def told(action: Action) -> str:
    match action:
        case Start(request, attempt, replica, why):
            return f"start {request}.{attempt} {replica}: {why}"
        case Cancel(request, attempt, why):
            return f"cancel {request}.{attempt}: {why}"
        case Wake(request, at):
            return f"wake {request} at {at:.4f}"
        case Won(request, attempt):
            return f"won {request}.{attempt}"
        case Lost(request, why, late):
            return f"lost {request}{' late' if late else ''}: {why}"
