"""What went wrong with a task so far. Losses of workers and errors of the program are counted apart and never mix.

RULES OF THE FILE
  - Losing a worker is no error, however often it hits the same task.
  - A task that raises is tried once more in another process; the second error fails the run.
  - An error in a round that may turn out never to have happened cannot fail the run: the task is set aside until that is decided.
  - A commit wipes the slate.
"""

from __future__ import annotations

from collections.abc import Collection

from regrow.coordinator.actions import Fail
from regrow.coordinator.ledger import Ledger
from regrow.coordinator.plan import Task
from regrow.coordinator.policy import Limits, failed_for_good, what_was_raised

__all__ = ["Budgets"]


class Budgets:
    """Losses and errors of the tasks that had any since they were last committed."""

    def __init__(self, ledger: Ledger, limits: Limits) -> None:
        self.ledger, self.limits = ledger, limits
        self._losses: dict[Task, int] = {}
        self._errors: dict[Task, list[str]] = {}
        self._avoid: dict[Task, set[str]] = {}
        self._causes: dict[Task, str] = {}

    def lost(self, task: Task, cause: str) -> None:
        """The worker that was at a task is lost."""
        self._losses[task] = self._losses.get(task, 0) + 1
        self._causes[task] = cause

    def handed_back(self, task: Task, cause: str) -> None:
        """A worker that leaves has not begun a task, or gives it up: that counts for nothing."""
        self._causes[task] = cause

    def failed(self, task: Task, worker: str, cause: str, *, data: bool = False) -> tuple[Fail | None, bool, str]:
        """A task raised. Returns how the run fails, if it does; whether the task is set aside; and why."""
        self._errors.setdefault(task, []).append(cause)
        self._avoid.setdefault(task, set()).add(worker)
        self._causes[task] = what_was_raised(cause)
        over, why = (True, "refused the data") if data else failed_for_good(self._errors[task], self.limits)
        if not over:
            return None, False, why
        if task.round > self.ledger.first_undecided():
            return None, True, "set aside: the run may end before this round"
        where = f'role "{task.role}", partition {task.partition}, round {task.round} {why}'
        return Fail("data", cause) if data else Fail("program", f"{where}\n{cause}"), False, why

    def committed(self, task: Task) -> None:
        """All is well."""
        if task in self._causes:  # whatever goes wrong has a cause
            for forgetful in (self._losses, self._errors, self._avoid, self._causes):
                forgetful.pop(task, None)

    def trouble(self, task: Task) -> str:
        """Why a task came to nothing when it was last tried; "" if it did not."""
        return self._causes.get(task, "") if self._causes else ""

    def losses(self, task: Task) -> int:
        """How many workers were lost at a task."""
        return self._losses.get(task, 0)

    def avoid(self, task: Task) -> Collection[str]:
        """The workers on which a task has raised."""
        return self._avoid.get(task, ())
