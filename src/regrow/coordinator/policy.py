"""Small decisions as pure functions; each returns what it decided and why. The why goes into the story of the run."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "ENDS",
    "Claim",
    "Limits",
    "Lost",
    "Pace",
    "backup_due",
    "backups_allowed",
    "blame",
    "failed_for_good",
    "finish_or_hand_back",
    "how_lost",
    "more_partitions",
    "pick_worker",
    "usual_seconds",
]

Lost = Literal["loss", "killed", "crash", "memory"]
"""Why a worker is gone: taken away, in a way that is known; killed by nobody knows whom; by a fault of what it ran; for memory."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that decisions depend on."""

    run_ahead_rounds: int = 2
    """How many rounds may be open beyond the oldest unfinished one: bounds what is kept."""
    cut_every_seconds: float = 10.0
    application_failures_max: int = 2
    backup_elapsed_seconds_min: float = 0.5
    """Tasks shorter than this are never worth a second attempt."""
    backup_share: float = 0.05
    stop_wait_seconds: float = 5.0
    checker_wait_seconds: float = 10.0
    """How long a run that has nothing else to do waits for a worker that checks, before any worker may."""
    last_cut_seconds: float = 10.0
    """How long a run that is to pause makes durable what it has."""
    notice_seconds: float = 30.0
    """How long before it is taken away a worker has notice, if nobody says (what clouds give: 30 to 120)."""
    workers_wait_seconds: float = 1.0
    """After so long without workers the run says that it waits for some."""
    lives_known: int = 5
    """After so many losses it is known how long workers live."""
    suspicious_losses: int = 3
    suspicious_bytes: int = 64_000_000
    """Whose tasks have taken less than this is not killed for memory."""
    memory_losses_alone_max: int = 2
    memory_calm_seconds: float = 30.0


class Pace:
    """How long the recent attempts of one role took, in seconds."""

    def __init__(self, kept: int = 99) -> None:
        self._recent: deque[float] = deque(maxlen=kept)
        self._ordered: list[float] | None = None

    def add(self, seconds: float) -> None:
        """Note one attempt that came to its end."""
        self._recent.append(seconds)
        self._ordered = None

    def quantile(self, share: float) -> float | None:
        """The share-quantile of the recent durations; None before there are five."""
        if len(self._recent) < 5:
            return None
        if self._ordered is None:
            self._ordered = sorted(self._recent)
        return self._ordered[min(len(self._ordered) - 1, int(share * len(self._ordered)))]


def usual_seconds(pace: Pace, limits: Limits) -> float | None:
    """How long an attempt may take before it counts as slow; None if the pace is not known."""
    median, tail = pace.quantile(0.5), pace.quantile(0.95)
    if median is None or tail is None:
        return None
    return max(tail, 1.5 * median, limits.backup_elapsed_seconds_min)


def backups_allowed(slots: int, limits: Limits) -> int:
    """How many second attempts may be under way with so many workers."""
    return max(1, int(limits.backup_share * slots))


def backup_due(elapsed: float, pace: Pace, backups: int, slots: int, limits: Limits) -> tuple[bool, str]:
    """Whether a second attempt of a slow task pays (MapReduce, section 3.6).

    elapsed: seconds since the attempt began; backups: backup attempts that run now; slots: workers in all.
    """
    usual = usual_seconds(pace, limits)
    if usual is None:
        return False, "too few attempts to know the pace"
    if backups >= backups_allowed(slots, limits):
        return False, f"{backups} backup attempts run already"
    if elapsed <= usual:
        return False, "within the usual time"
    return True, f"runs for {elapsed:.2f} s, the usual time is {pace.quantile(0.5):.2f} s"


def more_partitions(task_seconds: float, lives: Sequence[float], limits: Limits) -> tuple[bool, str]:
    """Whether a program needs smaller tasks: one takes over half of what workers live.

    task_seconds: how long a task of the role takes, or took before it was lost; lives: how long the workers lived that were lost.
    """
    if len(lives) < limits.lives_known:
        return False, "too few workers were lost to know how long they live"
    life = sum(lives) / len(lives)
    if task_seconds <= life / 2:
        return False, "tasks are short enough"
    return True, f"its tasks take {task_seconds:.1f} s and workers live {life:.1f} s: more partitions would lose less"


def pick_worker(idle: Mapping[str, float], avoid: Collection[str], losses: int, last: str | None = None) -> tuple[str | None, str]:
    """Which idle worker (name -> time it joined, oldest wait first) takes a task that was lost `losses` times.

    last: who did the task before it of the same partition, and may still have its state in memory; nobody waits for it. A task that was
    lost twice goes to the longest-lived worker: that one is the least likely to be taken next.
    """
    if not avoid and losses < 2:
        if last in idle:
            return last, "it did the one before"
        return next(iter(idle), None), "first to be idle"
    usable = [worker for worker in idle if worker not in avoid]
    if not usable:
        return None, "every idle worker has failed at this task"
    if losses < 2:
        return usable[0], "first to be idle that has not failed at it"
    return min(usable, key=lambda worker: (idle[worker], worker)), f"lost {losses} times: the longest-lived worker"


def failed_for_good(causes: Sequence[str], limits: Limits) -> tuple[bool, str]:
    """Whether a task that raised on these occasions is given up. Losses of workers are not among them: they cost nothing."""
    if len(causes) < limits.application_failures_max:
        return False, "once more, in another process"
    return True, f"failed {len(causes)} times"


def what_was_raised(cause: str) -> str:
    """The one line of a cause that says what happened: of an exception with its frames, what stands below the last frame."""
    lines = cause.strip("\n").split("\n")
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    if not frames:
        return lines[0]
    return next((line for line in lines[frames[-1] + 1 :] if not line.startswith("  ")), lines[-1].strip())


ENDS: Mapping[str, tuple[Lost, str]] = {
    "SIGKILL": ("killed", "somebody took it away: no limit"),
    "SIGTERM": ("loss", "it was preempted: no limit"),
    "SIGINT": ("loss", "it was interrupted: no limit"),
    "SIGHUP": ("loss", "it was interrupted: no limit"),
    "SIGSEGV": ("crash", "what it ran is to blame: one more try"),
    "SIGILL": ("crash", "what it ran is to blame: one more try"),
    "SIGFPE": ("crash", "what it ran is to blame: one more try"),
    "SIGABRT": ("crash", "what it ran is to blame: one more try"),
    "SIGBUS": ("crash", "no artifact is cut short, so what it ran is to blame: one more try"),
    "exit": ("crash", "what it ran has ended it: one more try"),
}
"""How a process ended -> what that means. Signals that are not named here are losses."""


def how_lost(end: str, *, ours: bool, busy: bool, memory: bool) -> tuple[Lost, str]:
    """What the end of a worker's process means.

    end: the name of the signal, or "exit"; ours: we killed it ourselves; busy: it was at a task; memory: somebody was killed for memory
    since it was seen last.
    """
    if memory and (ours or end == "SIGKILL"):
        return "memory", "fewer at a time"
    if ours:
        return "loss", "it was taken away: no limit"
    kind, why = ENDS.get(end, ("loss", "a signal of somebody's: no limit"))
    if kind == "crash" and not busy:
        return "loss", "it was at nothing"
    return kind, why


def finish_or_hand_back(elapsed: float, pace: Pace, notice_seconds: float) -> tuple[bool, str]:
    """Whether a worker that will be taken away finishes its task: if the expected rest fits into half the notice."""
    median = pace.quantile(0.5)
    if median is None:
        return True, "nobody knows how long it takes: it finishes"
    rest = max(0.0, median - elapsed)
    if rest <= notice_seconds / 2:
        return True, f"about {rest:.1f} s to go, notice of {notice_seconds:.0f} s: it finishes"
    return False, f"about {rest:.1f} s to go, notice of {notice_seconds:.0f} s: handed back"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one attempt says a task puts out, and where it was made."""

    worker: str
    digest: str
    environment: Mapping[str, str] = field(default_factory=dict)


def blame(claims: Sequence[Claim]) -> tuple[Literal["program", "environment", "machine"], str]:
    """Who is to blame for attempts that differ, and why. Three are best; the first is the one that was committed."""
    digests = [claim.digest for claim in claims]
    if len(set(digests)) == len(digests):
        few = "" if len(claims) > 2 else " (nobody could make a third attempt)"
        return "program", (
            f"no two agree{few}. The task read a clock, a random number of its own, a variable that an earlier task had changed, the order "
            "of a set, or an input that changed"
        )
    odd = next(claim for claim in claims if digests.count(claim.digest) == 1)
    others = [claim for claim in claims if claim is not odd]
    unlike = [name for name, value in odd.environment.items() if all(value != claim.environment.get(name) for claim in others)]
    if "hash seed" in unlike:
        return (
            "program",
            f"that of {odd.worker} under another hash seed is the odd one. The task depends on the order of a set, or on hash()",
        )
    if unlike:
        return "environment", f"that of {odd.worker} is the odd one, and it ran under another {' and '.join(unlike)}"
    return "machine", (
        f"that of {odd.worker} is the odd one, in the same environment as the others. Its machine is suspect (a flipped bit), "
        "or the program differs now and then (by an address, a time, what a cache holds)"
    )
