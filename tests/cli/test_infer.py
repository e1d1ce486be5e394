"""regrow lda infer: lines of JSON in order, the same bytes whoever works, whatever is killed, and whoever reads."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import regrow
from shell import Shell, refuses, themes

INLINE = ("--engine", "inline")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of 5 topics, and documents that make several parts."""
    folder = tmp_path_factory.mktemp("infer")
    (folder / "docs.txt").write_text(themes(150))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        regrow.LDA(5, rounds=30).fit(folder / "docs.txt", engine="inline", run=folder / "run")
    (folder / "many.txt").write_text(themes(1500, seed=4, length=120))
    return folder


def test_each_document_is_a_line(shell: Shell, place: Path) -> None:
    (shell.folder / "new.jsonl").write_text('{"body": "t1w1 T1W2 t1w3", "name": "a"}\n{"body": "nothing known", "name": ""}\n')
    ended = shell("lda", "infer", place / "run", "new.jsonl", "--text-field", "body", "--id-field", "name", *INLINE)
    assert ended.code == 0, ended.err
    first, second = (json.loads(line) for line in ended.out.splitlines())
    assert (first["doc"], first["id"], first["tokens"], first["unknown"]) == (0, "a", 3, 0)
    assert sum(share for _, share in first["topics"]) <= 1
    assert second == {"doc": 1, "topics": [], "tokens": 0, "unknown": 2}
    assert "Traceback" not in ended.err


def test_topics_can_be_fewer(shell: Shell, place: Path) -> None:
    whole = lines(shell("lda", "infer", place / "run", "docs.txt", *INLINE).out)
    one = lines(shell("lda", "infer", place / "run" / "model", "docs.txt", "--top", 1, *INLINE).out)
    large = lines(shell("lda", "infer", place / "run", "docs.txt", "--min-share", 0.3, *INLINE).out)
    assert [line["topics"] for line in one] == [line["topics"][:1] for line in whole]
    assert [line["topics"] for line in large] == [[pair for pair in line["topics"] if pair[1] >= 0.3] for line in whole]


def lines(out: str) -> list[dict]:  # type: ignore[type-arg]
    return [json.loads(line) for line in out.splitlines()]


def test_lines_go_into_a_file_that_is_never_half_written(shell: Shell, place: Path) -> None:
    shown = shell("lda", "infer", place / "run", "docs.txt", *INLINE)
    written = shell("lda", "infer", place / "run", "docs.txt", "--out", "topics.jsonl", *INLINE)
    assert (written.code, written.out) == (0, "")
    assert (shell.folder / "topics.jsonl").read_text() == shown.out
    assert not (shell.folder / "topics.jsonl.new").exists()
    (shell.folder / "broken.jsonl").write_text('{"text": "a"}\n{"text": 3}\n')
    failed = shell("lda", "infer", place / "run", "broken.jsonl", "--out", "others.jsonl", *INLINE)
    assert failed.code == 3
    assert not list(shell.folder.glob("others*"))


def test_a_file_that_is_there_stays_until_the_new_one_is_whole(shell: Shell, place: Path) -> None:
    infer = ("lda", "infer", place / "run")
    (shell.folder / "broken.jsonl").write_text('{"text": "t1w1"}\n{"text": "t1w1\n')
    (shell.folder / "old.jsonl").write_text("old\n")
    (shell.folder / "link.jsonl").symlink_to("old.jsonl")
    refuses(shell(*infer, "broken.jsonl", "--out", "link.jsonl", *INLINE), 3, "line 2")
    assert (shell.folder / "old.jsonl").read_text() == "old\n"
    assert shell(*infer, "docs.txt", "--out", "link.jsonl", *INLINE).code == 0
    assert (shell.folder / "link.jsonl").is_symlink()
    assert len(lines((shell.folder / "old.jsonl").read_text())) == 60
    (shell.folder / "folder").mkdir()
    refuses(shell(*infer, "docs.txt", "--out", "folder", *INLINE), 2, "folder cannot be written: it is a folder")
    refuses(shell(*infer, "docs.txt", "--out", "nowhere/a", *INLINE), 2, "nowhere/a cannot be written")
    assert shell(*infer, "docs.txt", "--out", "/dev/null", *INLINE).code == 0
    assert not Path("/dev/null").is_file()
    assert not list(shell.folder.glob("*.new"))


def test_a_run_of_its_own_keeps_the_lines_and_their_digest(shell: Shell, place: Path) -> None:
    ended = shell("lda", "infer", place / "run", "docs.txt", "--run", "topics", *INLINE)
    assert (shell.folder / "topics" / "output.jsonl").read_text() == ended.out
    assert shell("digest", "topics").out.strip() in ended.err
    refuses(shell("lda", "infer", place / "run", "docs.txt", "--run", "topics", *INLINE), 2, "topics is there already", "--overwrite")


@pytest.mark.processes
def test_same_lines_from_one_and_two_workers_that_are_killed(shell: Shell, place: Path) -> None:
    sampled = ("--method", "sampling", "--samples", 5, "--burn-in", 5)
    for method, way in (((), ("--workers", 1)), (sampled, ("--workers", 2, "--preempt", 0.3))):
        expected = shell("lda", "infer", place / "run", place / "many.txt", *method, *INLINE).out
        assert [line["doc"] for line in lines(expected)] == list(range(1500))
        ended = shell("lda", "infer", place / "run", place / "many.txt", *method, *way, "--verify", "off")
        assert ended.code == 0, ended.err
        assert ended.out == expected


@pytest.mark.processes
@pytest.mark.slow
def test_a_killed_run_gives_all_lines_when_it_is_resumed(shell: Shell, place: Path) -> None:
    method = ("--method", "sampling", "--samples", 30, "--burn-in", 0)
    expected = shell("lda", "infer", place / "run", place / "many.txt", *method, *INLINE).out
    way = ("--workers", 1, "--verify", "off", "--run", "topics")
    # of five parts there are seven commits of sizes, tables and offsets, and then those of documents
    process = shell.start("lda", "infer", place / "run", place / "many.txt", *way, *method, REGROW_CRASH="commit-begin:11")
    process.communicate(timeout=240)
    assert process.returncode == -signal.SIGKILL, "it was not stopped dead"
    assert (shell.folder / "topics" / "output.jsonl.new").stat().st_size > 0, "some lines had been given"
    ended = shell("resume", "topics", *INLINE)
    assert ended.code == 0, ended.err
    assert ended.out == expected
    assert (shell.folder / "topics" / "output.jsonl").read_text() == expected


@pytest.mark.processes
def test_a_reader_that_goes_away_ends_it_quietly(shell: Shell, place: Path) -> None:
    temporary = shell.folder / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "regrow.cli.main", "lda", "infer", str(place / "run"), "-", "--workers", "1"]
    with open(place / "many.txt", "rb") as text:
        process = subprocess.Popen(
            command, stdin=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(temporary)}
        )
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["doc"] == 0
        process.stdout.close()
        process.stdout = None  # it is not to be read to its end
        _, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    assert not list(temporary.iterdir())


def test_what_cannot_be_is_said_before_there_is_a_run(shell: Shell, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = shell.folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    refuses(shell("lda", "infer", place / "run", "docs.txt", "--method", "mean"), 2, 'no method "mean"', "argmax and sampling")
    refuses(shell("lda", "infer", place / "run", "docs.txt", "--top", -1), 2, "--top -1")
    refuses(shell("lda", "infer", place / "run", "none.txt"), 3, "none.txt")
    refuses(shell("lda", "infer", "docs.txt", "docs.txt"), 3)
    refuses(shell("lda", "infer", place / "run", "docs.txt", "--out", "no/where.jsonl", *INLINE), 2, "where.jsonl", "--out")
    assert not list(temporary.iterdir())


def test_a_model_that_was_changed_is_refused(shell: Shell, place: Path) -> None:
    shutil.copytree(place / "run" / "model", shell.folder / "broken")
    arrays = next((shell.folder / "broken").glob("*.safetensors"))
    arrays.write_bytes(arrays.read_bytes()[:-8] + b"\xff" * 8)
    refuses(shell("lda", "infer", "broken", "docs.txt", *INLINE), 3, "broken")
