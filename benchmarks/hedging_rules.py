"""How others ask replicas, as machines of the same form as regrow's: events in, actions out. For `hedging.py`.

none, round robin   one replica; no other, whatever happens
two choices         the less loaded of two; no other
retry               250 ms for each attempt, then the next replica; at once on an error; three at most
gRPC                proposal A6, hedging policy: a fixed delay that somebody has configured, the next replica in turn, at once on an error,
                    three at most; throttled by failures (maxTokens 10, tokenRatio 0.1)
Finagle             BackupRequestFilter: one backup after the (1 - 5 %) quantile of all durations of the last 30 s, looked at every 3 s, at
                    least 1 ms; a token bucket of 5 %; the less loaded of two, and those that failed five times in a row rest for 5 s
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from regrow.serving.hedging import Hedging, Policy
from regrow.serving.moves import Action, Answered, Asked, Cancel, Event, Failed, Joined, Lost, Start, Wake, Woken, Won

__all__ = ["RULES", "Rule", "machine"]


@dataclass
class Attempt:
    """One attempt of a request."""

    replica: int
    began: float
    running: bool = True


@dataclass
class Request:
    """What a rule knows of a request."""

    number: int
    deadline: float
    next: float = float("inf")
    attempts: list[Attempt] = field(default_factory=list)


class Rule:
    """One replica at random, and no other. The others change what they must."""

    attempts_max = 1

    def __init__(self, luck: int = 1, delay: float = 0.02) -> None:
        self.names: list[str] = []
        self.outstanding: list[int] = []
        self.requests: dict[int, Request] = {}
        self.random = Random(luck)
        self.delay = delay
        self.turn = 0

    def handle(self, event: Event, now: float) -> list[Action]:
        """As `Hedging.handle`."""
        if isinstance(event, Joined):
            self.names.append(event.replica)
            self.outstanding.append(0)
            return []
        if isinstance(event, Asked):
            request = self.requests[event.request] = Request(event.request, event.deadline)
            self.earn()
            return [*self.start(request, now, "first"), self.wake(request)]
        request_of = self.requests.get(getattr(event, "request", -1))
        if request_of is None:
            return []
        if isinstance(event, Woken):
            return self.woken(request_of, now)
        if isinstance(event, Answered):
            return self.answered(request_of, event.attempt, now)
        if isinstance(event, Failed):
            return self.failed(request_of, event, now)
        return []

    def answered(self, request: Request, number: int, now: float) -> list[Action]:
        """The first one wins."""
        self.ended(request.attempts[number], now, well=True)
        del self.requests[request.number]
        return [Won(request.number, number), *self.cancelled(request, now)]

    def failed(self, request: Request, event: Failed, now: float) -> list[Action]:
        """The next one at once, where the rule has one."""
        self.ended(request.attempts[event.attempt], now, well=False)
        if len(request.attempts) < self.attempts_max and self.may_hedge():
            return [*self.start(request, now, "error"), self.wake(request)]
        if any(attempt.running for attempt in request.attempts):
            return []
        del self.requests[request.number]
        return [Lost(request.number, event.cause)]

    def woken(self, request: Request, now: float) -> list[Action]:
        """The deadline, or the time for another one."""
        if now >= request.deadline - 1e-6:
            del self.requests[request.number]
            return [*self.cancelled(request, now, late=True), Lost(request.number, "late", late=True)]
        actions: list[Action] = []
        if now >= request.next - 1e-6 and len(request.attempts) < self.attempts_max and self.may_hedge():
            actions = [*self.before_another(request, now), *self.start(request, now, "late")]
        elif now >= request.next - 1e-6:
            request.next = float("inf")
        return [*actions, self.wake(request)]

    def start(self, request: Request, now: float, why: str) -> list[Action]:
        """One more attempt."""
        replica = self.choose(request, now)
        self.outstanding[replica] += 1
        request.attempts.append(Attempt(replica, now))
        request.next = now + self.next_after() if len(request.attempts) < self.attempts_max else float("inf")
        return [Start(request.number, len(request.attempts) - 1, self.names[replica], why)]

    def wake(self, request: Request) -> Action:
        """The next time to look."""
        return Wake(request.number, min(request.next, request.deadline))

    def cancelled(self, request: Request, now: float, late: bool = False) -> list[Action]:
        """All that still runs."""
        actions: list[Action] = []
        for number, attempt in enumerate(request.attempts):
            if attempt.running:
                self.ended(attempt, now, well=None if not late else False)
                actions.append(Cancel(request.number, number, ""))
        return actions

    def ended(self, attempt: Attempt, now: float, well: bool | None) -> None:
        """An attempt has ended: well, not well, or cancelled (None)."""
        attempt.running = False
        self.outstanding[attempt.replica] -= 1

    def choose(self, request: Request, now: float) -> int:
        """One at random."""
        return self.random.randrange(len(self.names))

    def two_choices(self, request: Request, candidates: list[int]) -> int:
        """The less loaded of two."""
        a, b = self.random.choice(candidates), self.random.choice(candidates)
        return a if self.outstanding[a] <= self.outstanding[b] else b

    def in_turn(self) -> int:
        """The next one."""
        self.turn = (self.turn + 1) % len(self.names)
        return self.turn

    def next_after(self) -> float:
        """Seconds until another one is asked."""
        return float("inf")

    def may_hedge(self) -> bool:
        """Whether the budget allows another one."""
        return True

    def earn(self) -> None:
        """A request has begun."""

    def before_another(self, request: Request, now: float) -> list[Action]:
        """What is cancelled before another one is asked."""
        return []


class RoundRobin(Rule):
    """One replica, in turn."""

    def choose(self, request: Request, now: float) -> int:
        """The next one."""
        return self.in_turn()


class TwoChoices(Rule):
    """The less loaded of two."""

    def choose(self, request: Request, now: float) -> int:
        """Of all."""
        return self.two_choices(request, list(range(len(self.names))))


class Retry(RoundRobin):
    """250 ms each."""

    attempts_max = 3

    def next_after(self) -> float:
        """The timeout of an attempt."""
        return 0.25

    def before_another(self, request: Request, now: float) -> list[Action]:
        """The one that took too long is given up."""
        return self.cancelled(request, now, late=True)


class Grpc(RoundRobin):
    """A6."""

    attempts_max = 3
    tokens, tokens_max, ratio = 10.0, 10.0, 0.1

    def next_after(self) -> float:
        """hedgingDelay."""
        return self.delay

    def may_hedge(self) -> bool:
        """While more than half of the tokens are there."""
        return self.tokens > self.tokens_max / 2

    def ended(self, attempt: Attempt, now: float, well: bool | None) -> None:
        """Failures cost a token, successes give a tenth."""
        super().ended(attempt, now, well)
        if well is not None:
            self.tokens = min(self.tokens_max, self.tokens + self.ratio) if well else max(0.0, self.tokens - 1)


class Finagle(Rule):
    """BackupRequestFilter under a p2c balancer with failure accrual."""

    attempts_max = 2
    extra = 0.05

    def __init__(self, luck: int = 1, delay: float = 0.02) -> None:
        super().__init__(luck, delay)
        self.window: deque[tuple[float, float]] = deque()
        self.looked, self.late = 0.0, float("inf")
        self.bucket: deque[float] = deque()
        self.saved = 0.0
        self.failures: dict[int, int] = {}
        self.rests: dict[int, float] = {}
        self.now = 0.0

    def handle(self, event: Event, now: float) -> list[Action]:
        """With the time remembered."""
        self.now = now
        return super().handle(event, now)

    def earn(self) -> None:
        """A token bucket whose tokens live for ten seconds."""
        self.saved += self.extra
        self.bucket.append(self.now)
        while self.bucket and self.bucket[0] < self.now - 10:
            self.bucket.popleft()
        self.saved = min(self.saved, self.extra * len(self.bucket))

    def may_hedge(self) -> bool:
        """Whether there is a token; it is taken."""
        if self.saved < 1:
            return False
        self.saved -= 1
        return True

    def next_after(self) -> float:
        """The quantile of all durations."""
        if self.now - self.looked > 3:
            self.looked = self.now
            while self.window and self.window[0][0] < self.now - 30:
                self.window.popleft()
            ordered = sorted(seconds for _, seconds in self.window)
            self.late = ordered[int((1 - self.extra) * (len(ordered) - 1))] if ordered else float("inf")
        return max(0.001, self.late) if self.late <= 2 else float("inf")

    def ended(self, attempt: Attempt, now: float, well: bool | None) -> None:
        """Durations of answers, timeouts and superseded attempts are recorded; fast failures are not."""
        super().ended(attempt, now, well)
        if well is not False or now - attempt.began > 0.01:
            self.window.append((now, now - attempt.began))
        if well:
            self.failures[attempt.replica] = 0
        elif well is False:
            self.failures[attempt.replica] = self.failures.get(attempt.replica, 0) + 1
            if self.failures[attempt.replica] >= 5:
                self.rests[attempt.replica] = now + 5
                self.failures[attempt.replica] = 4

    def choose(self, request: Request, now: float) -> int:
        """Of those that do not rest."""
        there = [i for i in range(len(self.names)) if self.rests.get(i, 0.0) <= now] if self.rests else list(range(len(self.names)))
        return self.two_choices(request, there or list(range(len(self.names))))


RULES = {
    "none (random)": Rule,
    "round robin": RoundRobin,
    "two choices": TwoChoices,
    "retry 250 ms": Retry,
    "gRPC rule": Grpc,
    "Finagle rule": Finagle,
    "regrow race(2)": lambda luck, delay: Hedging(Policy("race"), luck),
    "regrow all": lambda luck, delay: Hedging(Policy("all"), luck),
    "regrow off": lambda luck, delay: Hedging(Policy("off"), luck),
    "regrow hedge": lambda luck, delay: Hedging(Policy(), luck),
}


def machine(name: str, luck: int, delay: float) -> Rule | Hedging:
    """A machine by its name in the tables. delay: of the gRPC rule, which somebody must configure."""
    made: Rule | Hedging = RULES[name](luck, delay)  # type: ignore[operator]
    return made
