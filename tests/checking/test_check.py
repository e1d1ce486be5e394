"""`regrow check` finds what an ordinary run overlooks, and says which task and which array; it clears what is sound."""

from __future__ import annotations

import platform
import signal
import tempfile
from pathlib import Path

import pytest

from regrow.checking import WAYS, Finding, survivable
from shell import EXAMPLES, Shell

BAD = Path(__file__).with_name("nondeterministic.py")

pytestmark = pytest.mark.processes


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A person at a terminal; data.csv lies in the folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "data.csv").write_text("".join(f"{i % 7},{i % 11}\n" for i in range(300)))
    return Shell(tmp_path, capsys)


@pytest.mark.slow
def test_a_sound_program_comes_out_the_same_in_every_way(shell: Shell) -> None:
    ended = shell("check", f"{EXAMPLES}/kmeans.py:KMeans", "data.csv", "--set", "k=3")
    assert ended.code == 0, ended.err
    *ways, last = ended.out.splitlines()
    assert len(ways) == 5
    assert last.startswith("deterministic as far as can be seen; digest ")
    digest = last.split()[-1]
    assert all(digest[:16] in way for way in ways)
    assert list(shell.folder.iterdir()) == [shell.folder / "data.csv"], "nothing is left behind"


def test_workers_are_not_killed_faster_than_they_can_do_a_task() -> None:
    *_, losses = WAYS
    short, long = (Finding("other", "", "d", 1.0, 2, 0, task_seconds=seconds) for seconds in (0.001, 2.0))
    assert survivable(losses, [short]).how.preempt == losses.how.preempt
    assert survivable(losses, [short, long]).how.preempt == 6.0
    assert survivable(WAYS[0], [long]) is WAYS[0]


def test_a_clock_in_one_late_task_is_found_and_named(shell: Shell) -> None:
    ended = shell("check", f"{BAD}:Bad", "data.csv")
    assert ended.code == 4
    assert 'role "work", partition 0, round 4' in ended.err
    assert 'message to work 1: "value" [2]' in ended.err
    assert "1 of 4 differ" in ended.err


def test_an_ordinary_run_overlooks_it(shell: Shell) -> None:
    assert shell("run", f"{BAD}:Bad", "data.csv", "--engine", "inline").code == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SetOrder", "another hash seed"),
        ("ChangesWhatItSent", 'changed "value" after it was sent'),
        ("CountsItsCalls", 'result: "calls"'),
        ("Chance", "a random number of its own"),
        ("HashOrder", "or on hash()"),
        ("KeepsAList", 'result: "seen"'),
        ("LeavesForTheNext", "leaves something for the next"),
    ],
)
def test_other_sins_are_found_too(shell: Shell, name: str, words: str) -> None:
    ended = shell("check", f"{BAD}:{name}", "data.csv")
    assert ended.code == 4
    assert "is not deterministic" in ended.err
    assert words in ended.err


@pytest.mark.skipif(platform.machine() != "x86_64", reason="what is an older CPU is known of x86 only")
@pytest.mark.parametrize("name", ["Blas", "Exponential"])
def test_what_another_cpu_would_make_of_it_is_found_here(shell: Shell, name: str) -> None:
    ended = shell("check", f"{BAD}:{name}", "data.csv")
    assert ended.code == 4
    assert "is not deterministic" in ended.err
    assert "Most likely: " in ended.err


def test_a_task_that_changes_what_it_reads_is_told_so(shell: Shell) -> None:
    ended = shell("check", f"{BAD}:ChangesWhatItReads", "data.csv")
    assert ended.code == 4
    assert "what a task reads is read-only: change a copy of it" in ended.err


def test_a_program_that_raises_is_not_called_nondeterministic(shell: Shell) -> None:
    (shell.folder / "mine.py").write_text(BAD.read_text().replace("value = np.arange(4)", "value = np.arange(4) / np.zeros(3)"))
    ended = shell("check", "mine.py:Bad", "data.csv")
    assert ended.code == 4
    assert "mine.py:Bad fails" in ended.err
    assert "ValueError" in ended.err
    found = shell("check", "mine.py:Bad", "data.csv", "--json")
    assert not found.json["deterministic"]
    assert found.json["ways"][0]["kind"] == "raised"


@pytest.mark.parametrize(("how", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-signal.SIGUSR1, "killed by SIGUSR1")])
def test_a_task_that_ends_its_process_is_found_and_named(shell: Shell, how: int, words: str) -> None:
    ended = shell("check", f"{BAD}:EndsItsProcess", "data.csv", "--set", f"how={int(how)}", "--json")
    assert ended.code == 4
    assert f'EndsItsProcess: role "work", partition 1, round 1 ended the process: {words}' in ended.err
    assert ended.json["ways"][0]["kind"] == "raised"
    assert list(shell.folder.iterdir()) == [shell.folder / "data.csv"], "nothing is left behind"
