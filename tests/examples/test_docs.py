"""What the documentation shows is run: a page that stopped being true fails here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from examples.page import follow
from shell import Shell

ROOT = Path(__file__).parents[2]


@pytest.mark.early(2)
@pytest.mark.slow
@pytest.mark.processes
def test_everything_on_the_page_about_programs_is_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    follow((ROOT / "docs" / "programs.md").read_text(), Shell(tmp_path, capsys))


def test_the_links_of_the_pages_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
