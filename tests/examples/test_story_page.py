"""The page about the story and the code tell the same events and facts."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import regrow
from conftest import Runs
from regrow.story import VERSION

ROOT = Path(__file__).parents[2]
SOURCE = Path(regrow.__file__).parent
NOT_WRITTEN = {"rounds complete"}
"""Shown as progress only."""
BY_STATE = {"paused", "failed"}


def page() -> dict[str, set[str]]:
    """Event -> facts, as the page has them."""
    rows = re.findall(r"^\|([^|]+)\|([^|]*)\|[^|]+\|$", (ROOT / "docs" / "story.md").read_text(), re.M)
    return {
        event.strip(): {fact.strip() for fact in facts.split(",") if fact.strip()}
        for event, facts in rows
        if event.strip(" -") not in ("", "event")
    }


def told() -> set[str]:
    """The events that the code tells."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name == "Tell" or (name == "tell" and "story" in ast.unparse(node.func)):
                    found.add(node.args[0].value)
    return found


def test_every_event_has_its_row_and_every_row_its_event() -> None:
    assert told() - NOT_WRITTEN | BY_STATE == set(page())


def test_the_page_names_the_version() -> None:
    assert f"(`story`, now {VERSION})" in (ROOT / "docs" / "story.md").read_text()


def test_a_story_has_no_facts_that_the_page_does_not_name(runs: Runs) -> None:
    runs.begin("Ring", rounds=4)
    rows = page()
    for line in runs.story():
        assert set(line) - {"time", "event", "stage"} <= rows[line["event"]], line
