"""What the documentation shows is run: a page that stopped being true fails here."""

from __future__ import annotations

import re
from pathlib import Path

import regrow
from regrow.job import ProgramName

ROOT = Path(__file__).parents[2]


def test_the_program_in_the_documentation_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "programs.md").read_text()
    found = re.search(r"```python\n(.*?)```", page, re.S)
    assert found is not None
    (tmp_path / "longest.py").write_text(found.group(1))
    (tmp_path / "lines.txt").write_text("short\nthe longest of them\n\n")
    program = ProgramName(str(tmp_path / "longest.py"), "LongestLines").load()()
    run = regrow.run(program, tmp_path / "lines.txt", engine="inline")
    assert run.model["judge.longest"].tolist() == [len("the longest of them")]
    assert run.summary["rounds"] == 1


def test_the_links_of_the_pages_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
