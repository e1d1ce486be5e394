"""Of several replicas, the first answer: a pure machine. Events in, actions out; time is an argument, and chance is a number.

Ask one replica. If its answer is late, ask another one as well; if it fails, ask another one at once. The first answer wins, the
others are cancelled. Rules of the room:

    late        later than the median over replicas of each one's 95th percentile, times what this request costs (see `pace`)
    which       of two drawn at random the one with the lesser weight: (1 + attempts it is at) x 2^misses. A miss is an attempt that
                failed, timed out, or lost to one that began after it; misses fade with a time of ten seconds, and an answer clears
                them. Without that memory a hung replica looks idle, because what it was asked was cancelled, and draws requests.
                The last attempt that there may be goes to the best of all, rather one that has answered before
    how many    at most three attempts, never two with the same replica, nor on the same host while there are others
    how much    each request earns a tenth of an attempt, each attempt after the first costs one: counted when it is decided, so what
                hedging adds is bounded whatever happens (a brown-out would have everything asked again); the last two that are
                saved up go to requests that nobody is at any more, because all their attempts failed
    in need     an attempt's share is the time to the deadline by the attempts that there may be. When nothing is saved up, and an
                attempt has had its share or has failed, another one is made on credit, which later requests pay back: ten may be owed.
                Whoever asks one thing after the other earns nothing while it waits, and would be lost for one that hangs
    until when  one deadline for all attempts

Sources: Dean and Barroso, "The tail at scale", CACM 2013 (hedged requests; probation); Mitzenmacher 2001 (two choices); gRPC's
proposal A6 (the next attempt at once on an error, a server that asks to stop); Finagle's budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from regrow.errors import UsageError
from regrow.serving.moves import Action, Answered, Asked, Cancel, Event, Failed, Joined, Left, Lost, Start, Wake, Woken, Won
from regrow.serving.pace import Costs, Paces

__all__ = ["MODES", "Counts", "Hedging", "Policy", "Replica"]

MODES = {
    "hedge": "another one when the answer is late",
    "race": "several at once",
    "all": "all at once",
    "off": "one, and no other",
}
_MASK = (1 << 64) - 1
_EARLY = 1e-6
"""A timer may ring so many seconds early."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How requests are asked.

    mode            hedge, race (`copies` at once), all, off
    attempts_max    of one request, in mode hedge
    extra           attempts that each request earns for others; saved_max: so many are saved up at most, saved_first: to begin with
    owed_max        so many may be owed, for requests in need; extra 0: none is saved up to begin with, and none is owed
    for_errors      the last ones of these are kept for requests whose attempt failed: to be late is not to be lost
    delay_first     seconds after which an answer is late while nobody knows how long answers take
    delay_min       at least that; and at most the share of an attempt
    fade_seconds    how long a miss is remembered
    """

    mode: str = "hedge"
    copies: int = 2
    attempts_max: int = 3
    extra: float = 0.10
    saved_max: float = 20.0
    saved_first: float = 5.0
    owed_max: float = 10.0
    for_errors: float = 2.0
    delay_first: float = 0.050
    delay_min: float = 0.001
    fade_seconds: float = 10.0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(f'there is no mode "{self.mode}"', f"the modes are {', '.join(MODES)}")
        for name, value, least in (
            ("copies", self.copies, 1),
            ("attempts_max", self.attempts_max, 1),
            ("extra", self.extra, 0),
            ("saved_max", self.saved_max, 0),
            ("saved_first", self.saved_first, 0),
            ("owed_max", self.owed_max, 0),
            ("for_errors", self.for_errors, 0),
            ("delay_first", self.delay_first, 0),
            ("delay_min", self.delay_min, 0),
        ):
            if not value >= least:
                raise UsageError(f"{name} {value:g}", f"a number from {least} on")
        if not self.fade_seconds > 0:
            raise UsageError(f"fade_seconds {self.fade_seconds:g}", "a number above 0")


@dataclass(slots=True)
class Replica:
    """What is remembered of one. outstanding: attempts that it is at; misses: as they were at `missed`; answered: whether it ever has."""

    name: str
    host: str = ""
    outstanding: int = 0
    misses: float = 0.0
    missed: float = 0.0
    answered: bool = False


@dataclass(slots=True)
class Counts:
    """What has happened since the beginning."""

    requests: int = 0
    attempts: int = 0
    hedges: int = 0
    """Attempts after the first, of requests in mode hedge."""
    won: int = 0
    """Of these, those that answered first."""
    beyond: int = 0
    """Of these, those on credit."""
    denied: int = 0
    """Those that the budget refused."""
    failures: int = 0
    """Attempts that failed."""
    cancelled: int = 0
    """Attempts that lost, were late, or whose asker went away."""
    answered: int = 0
    late: int = 0
    """Requests whose deadline passed."""
    lost: int = 0
    """Requests all of whose attempts failed."""
    abandoned: int = 0


@dataclass(slots=True)
class _Attempt:
    replica: Replica
    began: float
    running: bool = True


@dataclass(slots=True)
class _Request:
    number: int
    deadline: float
    units: float
    cost: float
    among: tuple[str, ...] | None
    share: float
    delay: float
    next: float
    attempts: list[_Attempt] = field(default_factory=list)
    stopped: bool = False
    denied: bool = False


class Hedging:
    """The machine. Requests that are over are forgotten; replicas are remembered until they leave."""

    def __init__(self, policy: Policy | None = None, luck: int = 1) -> None:
        """luck: the seed of the choices between replicas."""
        self.policy = policy or Policy()
        self.replicas: dict[str, Replica] = {}
        self.counts = Counts()
        self.saved = min(self.policy.saved_first, self.policy.saved_max) if self.policy.extra else 0.0
        """Below 0: owed."""
        self.paces = Paces()
        self.costs = Costs()
        self._names: list[str] = []
        self._requests: dict[int, _Request] = {}
        self._luck = luck & _MASK

    def handle(self, event: Event, now: float) -> list[Action]:
        """What is to be done after an event. Events of requests and attempts that are over change nothing."""
        if isinstance(event, Asked):
            return self._asked(event, now)
        if isinstance(event, Joined):
            if event.replica not in self.replicas:
                self.replicas[event.replica] = Replica(event.replica, event.host)
                self._names.append(event.replica)
            return []
        if isinstance(event, Left):
            if self.replicas.pop(event.replica, None) is not None:
                self._names.remove(event.replica)
                self.paces.drop(event.replica)
            return []
        request = self._requests.get(event.request)
        if request is None:
            return []
        if isinstance(event, Answered):
            return self._answered(request, event.attempt, now)
        if isinstance(event, Failed):
            return self._failed(request, event, now)
        if isinstance(event, Woken):
            return self._woken(request, now)
        return self._abandoned(request, now)

    def misses(self, replica: Replica, now: float) -> float:
        """A replica's misses as far as they are remembered."""
        if not replica.misses:
            return 0.0
        faded: float = replica.misses * 2.0 ** (-1.4427 * (now - replica.missed) / self.policy.fade_seconds)  # e^-(t / fade)
        return faded

    def weight(self, replica: Replica, now: float) -> float:
        """The lesser, the rather it is asked."""
        weight: float = (1 + replica.outstanding) * 2.0 ** min(10.0, self.misses(replica, now))
        return weight

    # Requests

    def _asked(self, event: Asked, now: float) -> list[Action]:
        policy = self.policy
        self.counts.requests += 1
        self.saved = min(policy.saved_max, self.saved + policy.extra)
        cost = self.costs.of(event.units)
        late = self.paces.late()
        delay = policy.delay_first if late is None else max(policy.delay_min, late * cost)
        share = max(0.0, event.deadline - now) / policy.attempts_max
        delay = min(delay, share)
        request = _Request(event.request, event.deadline, event.units, cost, event.among, share, delay, now + delay)
        self._requests[event.request] = request
        wanted = {"race": policy.copies, "all": len(self._names if event.among is None else event.among)}.get(policy.mode, 1)
        actions: list[Action] = []
        while len(request.attempts) < wanted and (start := self._start(request, policy.mode if wanted > 1 else "first", now)):
            actions.append(start)
        if not actions:
            self._over(request)
            self.counts.lost += 1
            return [Lost(request.number, "there is no replica to ask")]
        actions.append(self._wake(request))
        return actions

    def _answered(self, request: _Request, number: int, now: float) -> list[Action]:
        winner = request.attempts[number]
        if not winner.running:
            return []
        self._ended(winner)
        winner.replica.misses, winner.replica.answered = 0.0, True
        self._learn(request, winner, now)
        self.costs.learn(request.units, now - winner.began)
        self.counts.answered += 1
        self.counts.won += number > 0 and self.policy.mode == "hedge"
        actions: list[Action] = [Won(request.number, number)]
        for other, attempt in enumerate(request.attempts):
            if attempt.running:
                self._learn(request, attempt, now)
                if attempt.began < winner.began:
                    self._miss(attempt.replica, now)
                actions.append(self._cancel(request, other, "another one was first"))
        self._over(request)
        return actions

    def _failed(self, request: _Request, event: Failed, now: float) -> list[Action]:
        attempt = request.attempts[event.attempt]
        if not attempt.running:
            return []
        self._ended(attempt)
        self._miss(attempt.replica, now)
        self.counts.failures += 1
        request.stopped |= event.stop
        actions = self._another(request, "at once: the one before failed", now)
        if actions:
            request.next = now + request.delay
            return [*actions, self._wake(request)]
        if any(other.running for other in request.attempts):
            return []
        self._over(request)
        self.counts.lost += 1
        return [Lost(request.number, self._why_lost(request, event.cause))]

    def _woken(self, request: _Request, now: float) -> list[Action]:
        if now >= request.deadline - _EARLY:
            actions: list[Action] = []
            for number, attempt in enumerate(request.attempts):
                if attempt.running:
                    self._learn(request, attempt, now)
                    self._miss(attempt.replica, now)
                    actions.append(self._cancel(request, number, "the deadline has passed"))
            self._over(request)
            self.counts.late += 1
            tried = len(request.attempts)
            return [*actions, Lost(request.number, f"no answer by the deadline of {_shown(tried, 'attempt')}", late=True)]
        actions = []
        if now >= request.next - _EARLY and self.policy.mode == "hedge":
            actions = self._another(request, f"no answer for {1000 * request.delay:.1f} ms", now)
            request.next = now + request.delay
        return [*actions, self._wake(request)]

    def _abandoned(self, request: _Request, now: float) -> list[Action]:
        self.counts.abandoned += 1
        self._over(request)
        return [
            self._cancel(request, number, "nobody waits any more") for number, attempt in enumerate(request.attempts) if attempt.running
        ]

    # Attempts

    def _another(self, request: _Request, why: str, now: float) -> list[Action]:
        """One more attempt, if there may be one."""
        if self.policy.mode != "hedge" or request.stopped or len(request.attempts) >= self.policy.attempts_max:
            return []
        within = self.saved >= 1 + (self.policy.for_errors if any(attempt.running for attempt in request.attempts) else 0)
        if not within and not self._in_need(request, now):
            self.counts.denied += 1
            request.denied = True
            return []
        start = self._start(request, why, now)
        if start is None:
            return []
        self.counts.hedges += 1
        self.saved -= 1
        self.counts.beyond += not within
        return [start]

    def _in_need(self, request: _Request, now: float) -> bool:
        """Whether a request would be lost without another attempt, and one more may be owed."""
        newest = request.attempts[-1]
        owed = self.policy.extra > 0 and self.saved - 1 >= -self.policy.owed_max
        return owed and (not newest.running or now - newest.began >= request.share - _EARLY)

    def _start(self, request: _Request, why: str, now: float) -> Start | None:
        replica = self._choice(request, now)
        if replica is None:
            return None
        replica.outstanding += 1
        self.counts.attempts += 1
        request.attempts.append(_Attempt(replica, now))
        return Start(request.number, len(request.attempts) - 1, replica.name, why)

    def _choice(self, request: _Request, now: float) -> Replica | None:
        """Of two that are drawn the one with the lesser weight; of equal ones the first. The last one of several: of all."""
        names: Sequence[str] = self._names if request.among is None else request.among
        if request.attempts or request.among is not None:
            tried = {attempt.replica.name for attempt in request.attempts}
            names = [name for name in names if name not in tried and name in self.replicas]
            hosts = {attempt.replica.host for attempt in request.attempts} - {""}
            if hosts:
                names = [name for name in names if self.replicas[name].host not in hosts] or names
        if not names:
            return None
        place = self._draw(len(names))
        first = self.replicas[names[place]]
        if len(names) == 1:
            return first
        if 0 < len(request.attempts) == self.policy.attempts_max - 1:
            others = (self.replicas[name] for name in (*names[place:], *names[:place]))
            return min(others, key=lambda replica: (self.weight(replica, now), not replica.answered))
        place = self._draw(len(names) - 1)
        second = self.replicas[names[place] if names[place] != first.name else names[-1]]
        return first if self.weight(first, now) <= self.weight(second, now) else second

    def _draw(self, below: int) -> int:
        """A number from 0 to below it (SplitMix64: Steele, Lea and Flood, OOPSLA 2014)."""
        self._luck = (self._luck + 0x9E3779B97F4A7C15) & _MASK
        z = self._luck
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) * below) >> 64

    def _ended(self, attempt: _Attempt) -> None:
        attempt.running = False
        attempt.replica.outstanding -= 1

    def _cancel(self, request: _Request, number: int, why: str) -> Cancel:
        self._ended(request.attempts[number])
        self.counts.cancelled += 1
        return Cancel(request.number, number, why)

    def _miss(self, replica: Replica, now: float) -> None:
        replica.misses, replica.missed = self.misses(replica, now) + 1.0, now

    def _learn(self, request: _Request, attempt: _Attempt, now: float) -> None:
        if attempt.replica.name in self.replicas:
            self.paces.add(attempt.replica.name, (now - attempt.began) / request.cost)

    def _wake(self, request: _Request) -> Wake:
        more = self.policy.mode == "hedge" and len(request.attempts) < self.policy.attempts_max and not request.stopped
        return Wake(request.number, min(request.next, request.deadline) if more else request.deadline)

    def _over(self, request: _Request) -> None:
        del self._requests[request.number]

    def _why_lost(self, request: _Request, cause: str) -> str:
        said = f"{_shown(len(request.attempts), 'attempt')} failed, the last one: {cause or 'without a reason'}"
        return f"{said}; no more were allowed by the budget" if request.denied else said


def _shown(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
