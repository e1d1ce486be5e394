"""`regrow.testing` clears what is sound, finds what is not, and says where."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import pytest

import programs
from regrow import testing
from regrow.errors import DataError, ProgramError
from regrow.running import begin
from regrow.story import read_story
from shell import EXAMPLES

sys.path.append(str(Path(__file__).parent / "checking"))
sys.path.append(str(EXAMPLES))

import nondeterministic
from wordcount import WordCount

LINES = ["to be or not to be", "that is the question", "whether it is nobler"]


def test_a_program_runs_here_on_lines_in_parts() -> None:
    run = testing.run_inline(WordCount(), lines=LINES, parts=3)
    found = dict(zip(run.model["words.word"], run.model["words.count"].tolist(), strict=True))
    assert found["to"] == found["be"] == found["is"] == 2
    assert testing.run_inline(WordCount(), lines=LINES).digest == run.digest
    assert testing.run_inline(WordCount(), lines=LINES, parts=99).digest == run.digest


def test_a_program_runs_here_on_files(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("\n".join(LINES))
    run = testing.run_inline(WordCount(), tmp_path / "text.txt")
    testing.assert_same(run, testing.run_inline(WordCount(), lines=LINES), testing.run_inline(WordCount(), [tmp_path / "text.txt"]))


def test_a_program_without_data_needs_none() -> None:
    assert testing.run_inline(programs.Tiny(rounds=2)).summary["rounds"] == 2
    with pytest.raises(DataError):
        testing.run_inline(WordCount(), lines=["", ""])


def test_what_raises_is_raised() -> None:
    for way in (testing.run_inline, testing.kill_anywhere):
        with pytest.raises(ProgramError, match="seven is not eight"):
            way(programs.Faulty())


@pytest.mark.processes
def test_a_sound_program_survives_everything() -> None:
    quiet = testing.kill_anywhere(programs.Ring(rounds=7, stop_after=5))
    testing.assert_same(quiet, testing.run_inline(programs.Ring(rounds=7, stop_after=5)))


def test_each_task_loses_its_worker_in_each_of_three_ways(tmp_path: Path) -> None:
    spec = testing.text_spec(programs.Ring(rounds=4), one_line(tmp_path), 1, inline=True)
    for shift in range(3):
        begin(spec, tmp_path / str(shift), testing._With.on(partial(testing._LosesWorkers, shift)))
        story = read_story(tmp_path / str(shift))
        lost = [line["attempt"] for line in story if line["event"] == "worker lost" and line["stage"] == "training"]
        assert len(lost) == len(set(lost)) > 20
        assert all(attempt.endswith(".1") for attempt in lost)


def one_line(folder: Path) -> Path:
    (folder / "input.txt").write_text("a line\n")
    return folder / "input.txt"


@pytest.mark.parametrize("kind", ["CountsItsCalls", "Chance"])
def test_a_program_that_is_not_pure_is_caught_and_the_array_named(kind: str) -> None:
    with pytest.raises(AssertionError, match="another model came out when each task's first worker was lost") as caught:
        testing.kill_anywhere(getattr(nondeterministic, kind)(), processes=False)
    assert "the model's \"work." in str(caught.value)


def test_models_that_differ_are_told_apart() -> None:
    one, other = (testing.run_inline(programs.Tiny(rounds=rounds, partitions=2)) for rounds in (2, 3))
    with pytest.raises(AssertionError, match=r'the model\'s "cell.n" differs at \[0\]: 1 and 2'):
        testing.assert_same(one, other)
    with pytest.raises(AssertionError, match=r"differs: int64 \(2,\) and int64 \(3,\)"):
        testing.assert_same(one, testing.run_inline(programs.Tiny(rounds=2, partitions=3)))
    with pytest.raises(AssertionError, match="only one of the models has"):
        testing.assert_same(one, testing.run_inline(WordCount(), lines=LINES))


@pytest.mark.processes
def test_what_regrow_check_finds_is_found_from_python() -> None:
    with pytest.raises(AssertionError, match='role "work", partition 0, round 4'):
        testing.assert_deterministic(nondeterministic.Bad())


@pytest.mark.slow
@pytest.mark.processes
def test_what_regrow_check_clears_is_cleared_from_python() -> None:
    assert testing.assert_deterministic(WordCount(), lines=LINES, parts=2) == testing.run_inline(WordCount(), lines=LINES).digest
