"""Programs whose results are lines: given away in order while the run goes on, the same bytes whatever happens."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from conftest import Gate, Runs
from regrow.errors import ProgramError
from regrow.running import Watcher, begin, resume
from regrow.spec import How

TEXT = "".join(f"line {i} of a tail that grows back, and grows, and grows\n" for i in range(40_000))


class Listener(Watcher):
    """Who reads the lines."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def output(self, lines: bytes) -> None:
        self.heard.append(lines)


@pytest.fixture
def big(runs: Runs) -> Runs:
    """Runs on a text of several parts."""
    runs.text.write_text(TEXT)
    return runs


def finished(run: Path, summary: dict[str, Any]) -> bool:
    lines = (run / "output.jsonl").read_bytes()
    assert lines == TEXT.upper().encode()
    assert summary["digest"] == hashlib.sha256(lines).hexdigest()
    assert not (run / "model").exists()
    assert not (run / "output.jsonl.new").exists()
    return json.loads((run / "output.json").read_text())["digest"] == summary["digest"]


def test_lines_come_in_order_and_are_kept(big: Runs) -> None:
    listener = Listener()
    summary = begin(big.spec("Upper"), big.folder / "run", How("inline"), listener)
    assert len(listener.heard) > 3, "one piece for each part"
    assert b"".join(listener.heard) == TEXT.upper().encode()
    assert finished(big.folder / "run", summary)
    assert summary["output"] == str(big.folder / "run" / "output.jsonl")


def test_the_lines_of_an_overwritten_run_stay_until_there_are_new_ones(big: Runs) -> None:
    run = big.folder / "run"
    before = run / "output.before.jsonl"
    begin(big.spec("Upper"), run, How("inline"))
    for _ in range(2):  # the second one takes the place of a run without lines
        with pytest.raises(ProgramError) as caught:
            begin(big.spec("Faulty"), run, How("inline"), overwrite=True)
        assert f"stay until there are new ones, in {before}" in caught.value.advice
        assert before.read_bytes() == TEXT.upper().encode()
        assert not (run / "output.jsonl").exists()
    big.text.write_text("one line\n")
    summary = begin(big.spec("Upper"), run, How("inline"), overwrite=True)
    assert (run / "output.jsonl").read_bytes() == b"ONE LINE\n"
    assert not before.exists()
    (run / before.name).hardlink_to(run / "output.jsonl")  # as if an overwrite had been stopped before anything was gone
    assert resume(run) == summary
    assert not before.exists()


@pytest.mark.processes
def test_lines_that_are_ready_too_early_wait_for_those_before_them(big: Runs) -> None:
    listener = Listener()
    how = How("local", 3, preempt=0.3, verify=False)
    spec = big.spec("Upper", seconds=0.05)
    summary = begin(spec, big.folder / "run", how, listener)
    assert b"".join(listener.heard) == TEXT.upper().encode()
    assert finished(big.folder / "run", summary)


@pytest.mark.processes
def test_a_killed_run_gives_all_lines_when_it_is_resumed(big: Runs, gate: Gate) -> None:
    coordinator = big.coordinator("Upper", seconds=0.3, **gate.shut)
    coordinator.until(lambda: len(big.artifacts()) >= 2)
    coordinator.kill()
    coordinator.code()
    gate.open()
    assert not (big.folder / "run" / "output.jsonl").exists()
    listener = Listener()
    summary = resume(big.folder / "run", listener)
    assert b"".join(listener.heard) == TEXT.upper().encode()
    assert finished(big.folder / "run", summary)
    listener.heard.clear()
    assert resume(big.folder / "run", listener) == summary, "a finished run says what it did"


def test_whoever_reads_the_lines_may_go_away(big: Runs) -> None:
    class Gone(Watcher):
        def output(self, lines: bytes) -> None:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        begin(big.spec("Upper"), big.folder / "run", How("inline"), Gone())
    listener = Listener()
    assert finished(big.folder / "run", resume(big.folder / "run", listener))
    assert b"".join(listener.heard) == TEXT.upper().encode()
