"""The transition table as a page: what is drawn in the documentation is what the code does."""

from __future__ import annotations

from regrow.coordinator.ledger import FORGOTTEN, NAMES, TRANSITIONS, WAITING

__all__ = ["page"]

HEAD = """# The standing of a task

This page is written from `TRANSITIONS` in `regrow/coordinator/ledger.py`; a test holds the two together, and
`REWRITE=1 pytest tests/coordinator` writes it anew.

A task is *waiting* until everything that it reads is committed, *ready* until a worker takes it, *running* until an attempt
commits; then its artifact is *present*, and *forgotten* as soon as nobody will read it. Nothing else can happen to a task:
losing a worker is "attempt ended", however it was lost, and a late answer is no transition at all.
"""

MEANINGS = {
    "inputs complete": "all messages that it reads, and its own last state, are committed",
    "inputs lost": "an artifact that it reads was lost before anybody took the task",
    "started": "a worker begins an attempt",
    "attempt ended": "the last attempt under way came to nothing: its worker was lost, the task raised, or an input was missing",
    "committed": "the first attempt that is done; later ones must have the same digest and are thrown away",
    "no longer needed": "every reader has committed, no state lies in it and no cut pins it; or it was to be done again, in vain",
    "artifact lost": "it is missing or broken, and somebody will read it",
    "needed again": "somebody is to be run again who reads it",
    "found on disk": "an earlier coordinator committed it",
}


def page() -> str:
    """The page as text."""
    arrows = [f"    {NAMES[before]} --> {NAMES[after]}: {why}" for (before, why), after in TRANSITIONS.items()]
    rows = [f"| {NAMES[before]} | {why} | {NAMES[after]} | {MEANINGS[why]} |" for (before, why), after in TRANSITIONS.items()]
    diagram = ["```mermaid", "stateDiagram-v2", f"    [*] --> {NAMES[WAITING]}", *arrows, f"    {NAMES[FORGOTTEN]} --> [*]", "```"]
    table = ["| standing | what happens | then | that is |", "|---|---|---|---|", *rows]
    return "\n".join([HEAD, *diagram, "", *table, ""])
