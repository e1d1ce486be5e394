"""Two attempts of a task that differ: a third one decides whom to blame.

RULES OF THE FILE
  - From the first difference on, nothing is begun but the third attempt: the run will fail, and work would be in vain.
  - The third attempt goes to a worker that made neither of the two, if there is one.
  - All attempts are kept aside (RUN/disputed), and all claims are told, each with the environment in which it was made.
  - If nobody can make a third attempt (what it reads is forgotten, no worker is left, a pause was asked for), two must do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from regrow.coordinator.actions import Action, Fail, KeepAside, Tell
from regrow.coordinator.crew import Crew
from regrow.coordinator.ledger import Ledger
from regrow.coordinator.plan import Attempt, Task
from regrow.coordinator.policy import Claim, blame

__all__ = ["Dispute", "Disputes"]

BY_AN_EARLIER = "an earlier coordinator's worker"


@dataclass(slots=True)
class Dispute:
    """A task whose attempts differ, and what each of them says."""

    task: Task
    claims: list[Claim] = field(default_factory=list)


class Disputes:
    """The dispute of a run, if there is one; and who made what, so that a claim has a name."""

    def __init__(self, ledger: Ledger, crew: Crew) -> None:
        self.ledger, self.crew = ledger, crew
        self.open: Dispute | None = None
        self._usual: Mapping[str, str] | None = None
        """What the first worker runs in."""
        self._others: dict[str, Mapping[str, str]] = {}
        """What those run in whose environment is another one. Workers come and go: of the rest nothing is kept."""

    def joined(self, worker: str, environment: Mapping[str, str]) -> str:
        """Remember in what environment a worker runs. Returns its CPU if that is another than the first worker's."""
        if self._usual is None:
            self._usual = environment
        elif environment != self._usual:
            self._others[worker] = environment
        mine = environment.get("CPU", "")
        return mine if mine != self._usual.get("CPU", "") else ""

    def begin(self, attempt: Attempt, worker: str, known: str, found: str) -> Iterator[Action]:
        """An attempt differs from what is known of its task."""
        task = attempt.task
        maker = self.ledger.maker(task) or BY_AN_EARLIER
        self.open = Dispute(task, [self._claim(maker, known)])
        facts = {"task": str(task), "workers": [maker, worker], "digests": [known, found]}
        yield Tell("attempts differ", facts)
        yield KeepAside(task, None, maker)
        yield from self.add(attempt, worker, found)

    def add(self, attempt: Attempt, worker: str, digest: str) -> Iterator[Action]:
        """What one more attempt says."""
        assert self.open is not None
        self.open.claims.append(self._claim(worker, digest))
        yield KeepAside(attempt.task, attempt, worker)

    def _claim(self, worker: str, digest: str) -> Claim:
        usual = {} if worker == BY_AN_EARLIER or self._usual is None else self._usual
        return Claim(worker, digest, self._others.get(worker, usual))

    def third(self) -> tuple[str | None, bool]:
        """Who makes the third attempt now; and whether it pays to wait for somebody if nobody can yet."""
        assert self.open is not None
        if not self.ledger.startable(self.open.task):
            return None, False
        involved = {claim.worker for claim in self.open.claims}
        for strangers in (True, False):
            idle = [worker for worker in self.crew.idle_of_all() if (worker not in involved) == strangers]
            if idle:
                return idle[0], True
            if self.crew.running:
                return None, True  # one of them will be idle in a moment
        return None, not self.crew.workers  # a run without workers waits for one

    def verdict(self) -> Fail:
        """How the run fails."""
        assert self.open is not None
        task, claims = self.open.task, self.open.claims
        who, why = blame(claims)
        unlike, alike = _environments(claims)
        told = "\n".join(f"  {claim.digest} by {claim.worker}{_named(claim, unlike, ' ({})')}" for claim in claims)
        told += _named(claims[0], alike, "\n  all ran with {}")
        number = {2: "two", 3: "three"}.get(len(claims), str(len(claims)))
        reason = f'{number} attempts of role "{task.role}", partition {task.partition}, round {task.round} differ: {why}\n{told}'
        return Fail("nondeterministic", reason, task, who)


def _environments(claims: Sequence[Claim]) -> tuple[list[str], list[str]]:
    """What was different where the claims were made, and what was the same."""
    names = list(dict.fromkeys(name for claim in claims for name in claim.environment))
    unlike = [name for name in names if len({claim.environment.get(name) for claim in claims}) > 1]
    return unlike, [name for name in names if name not in unlike]


def _named(claim: Claim, names: Sequence[str], form: str) -> str:
    text = ", ".join(f"{name} {claim.environment.get(name, 'unknown')}" for name in names)
    return form.format(text) if text else ""
