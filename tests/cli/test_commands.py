"""The judged commands, from the shell: what goes to stdout, what to stderr, and which fields there are."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import load_npz

from shell import EXAMPLES, Shell, await_records, refuses, themes, until

TRAIN = ("lda", "train", "docs.txt", "--topics", 3, "--rounds", 12)
INLINE = (*TRAIN, "--engine", "inline")


def test_train_prints_topics_to_stdout_and_the_rest_to_stderr(shell: Shell) -> None:
    ended = shell(*INLINE, "--run", "my run ü")
    assert ended.code == 0
    assert [len(line.split()) for line in ended.out.splitlines()] == [11] * 3  # number, share, %, eight words
    first, *_, model, digest = ended.err.splitlines()
    assert (first, model) == ("run my run ü", "model  my run ü/model")
    assert digest == f"digest {shell('digest', 'my run ü').out.strip()}"


def test_the_fields_of_train_json_are_there_and_sane(shell: Shell) -> None:
    found = shell.run(*TRAIN, "--workers", 2, "--preempt", 0.1, "--rounds", 60)
    assert found["run"].startswith("runs/lda-train-")
    assert found["model"] == f"{found['run']}/model"
    assert len(found["digest"]) == 64
    assert found["rounds"] == 60
    assert found["tokens"] == len((shell.folder / "docs.txt").read_text().split())
    assert found["tokens_per_second"] == pytest.approx(found["tokens"] * 60 / found["train_seconds"], rel=0.01)
    for name in ("prepare_seconds", "compile_seconds", "train_seconds", "cpu_seconds"):
        assert found[name] > 0, name
    assert 0 <= found["redone_seconds"] <= found["cpu_seconds"] + 1
    assert found["attempts"] >= 120
    assert found["peak_memory_bytes"] >= 0
    if found["workers_lost"]:
        median, high = found["recovery_seconds"]
        assert 0 < median <= high
    else:
        assert found["recovery_seconds"] is None


def test_a_run_shorter_than_the_likelihood_interval_is_fine(shell: Shell) -> None:
    assert shell.run(*INLINE, "--rounds", 1)["metrics"]["final_log_likelihood"] < 0


@pytest.mark.parametrize("text", ["word\n", "one two three\n"])
def test_one_word_or_one_document_is_enough(shell: Shell, text: str) -> None:
    (shell.folder / "docs.txt").write_text(text)
    assert shell.run(*INLINE, "--grid", "300x300")["tokens"] == len(text.split())


def test_prepared_data_is_used_again_until_the_input_changes(shell: Shell) -> None:
    shell.run(*INLINE, "--run", "a")
    shell.run(*INLINE, "--run", "b")
    (shell.folder / "docs.txt").write_text(themes(61))
    shell.run(*INLINE, "--run", "c")
    shell.run(*INLINE, "--run", "d", "--no-cache")
    assert ["prepared data reused" in shell.story(run) for run in "abcd"] == [False, True, False, False]


def test_prepared_data_is_not_used_again_with_other_stop_words(shell: Shell) -> None:
    digests = []
    for run, words in (("a", "one"), ("b", "one"), ("c", (shell.folder / "docs.txt").read_text().split()[0])):
        (shell.folder / "stop.txt").write_text(words)
        digests.append(shell.run(*INLINE, "--stop-words", "stop.txt", "--run", run)["digest"])
    assert digests[0] == digests[1] != digests[2]
    assert ["prepared data reused" in shell.story(run) for run in "abc"] == [False, True, False]


def test_status_says_how_far_a_run_is(shell: Shell) -> None:
    shell.run(*INLINE, "--run", "run")
    found = shell.run("status", "run")
    assert (found["state"], found["round"], found["rounds"], found["workers"]) == ("finished", 12, 12, 1)
    assert found["attempts"] > 24
    assert found["workers_lost"] == 0
    assert found["redone_seconds"] >= 0
    assert 0 < found["goodput"] <= 1
    assert found["disk_bytes"] == sum(path.stat().st_size for path in (shell.folder / "run").rglob("*") if path.is_file())
    ended = shell("status", "run")
    assert "finished" in ended.out
    assert len(ended.out.splitlines()) == len(found)


def test_topics_and_export_agree(shell: Shell) -> None:
    shell.run(*INLINE, "--run", "run")
    found = shell.run("lda", "topics", "run", "--words", 4)
    assert [topic["topic"] for topic in found] == [0, 1, 2]
    lines = [line.split("\t") for line in shell("lda", "topics", "run", "--words", 4).out.splitlines()]
    assert lines == [[str(t["topic"]), str(t["tokens"]), " ".join(word for word, _ in t["words"])] for t in found]
    assert shell("lda", "export", "run/model", "--format", "npz", "--out", "x").out.split() == ["x/counts.npz", "x/vocab.txt"]
    counts, words = load_npz(shell.folder / "x" / "counts.npz"), (shell.folder / "x" / "vocab.txt").read_text().split()
    assert counts.shape == (len(words), 3)
    assert np.asarray(counts.sum(axis=0)).ravel().tolist() == [topic["tokens"] for topic in found]
    for topic in found:
        for word, count in topic["words"]:
            assert counts[words.index(word), topic["topic"]] == count


def test_a_finished_run_says_so_and_is_not_run_again(shell: Shell) -> None:
    before = shell.run(*INLINE, "--run", "run")
    ended = shell("resume", "run", "--json")
    assert ended.code == 0
    assert ended.json == before
    assert "finished already" in ended.err


def test_a_model_that_was_damaged_is_refused(shell: Shell) -> None:
    shell.run(*INLINE, "--run", "run")
    arrays = shell.folder / "run" / "model" / "arrays.safetensors"
    whole = arrays.read_bytes()
    arrays.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refuses(shell("digest", "run"), 3, "run", "train again")
    for content in (whole[:100], b""):
        arrays.write_bytes(content)
        refuses(shell("digest", "run"), 3, "damaged")
        refuses(shell("lda", "topics", "run"), 3, "damaged")


def test_a_model_of_another_kind_is_refused_by_lda(shell: Shell) -> None:
    shell.run("run", EXAMPLES / "wordcount.py:WordCount", "docs.txt", "--engine", "inline", "--run", "words")
    refuses(shell("lda", "topics", "words"), 3, "WordCount", "regrow lda train")
    refuses(shell("lda", "export", "words", "--out", "x"), 3, "WordCount")
    assert len(shell("digest", "words").out.strip()) == 64


def test_the_help_of_every_command_explains_every_option(shell: Shell) -> None:
    for words in ((), ("run",), ("resume",), ("status",), ("digest",), ("lda",), ("lda", "train"), ("lda", "topics"), ("lda", "export")):
        ended = shell(*words, "--help")
        assert ended.code == 0
        assert "..." not in ended.out.partition("Commands:")[2], f"the help of a command of regrow {' '.join(words)} is cut off"
    assert shell("--version").out.startswith("regrow ")


def test_a_reader_that_leaves_early_is_no_fault_and_no_output_or_a_full_disk_is_told_in_words(shell: Shell) -> None:
    (shell.folder / "docs.txt").write_text(themes(300, words=2000))
    shell.run(*INLINE, "--run", "run")
    for words in ("--words 2000", "--words 2000 --json"):
        command = f"set -o pipefail; {sys.executable} -m regrow.cli.main lda topics run {words} | head -c 10"
        ended = subprocess.run(["bash", "-c", command], cwd=shell.folder, capture_output=True, text=True, check=False)
        assert (len(ended.stdout), ended.stderr) == (10, "")
    for where, code, said in ((">/dev/full", 75, "No space left on device"), (">&-", 0, "")):
        command = f"{sys.executable} -m regrow.cli.main lda topics run {where}"
        ended = subprocess.run(["bash", "-c", command], cwd=shell.folder, capture_output=True, text=True, check=False)
        assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)
        assert said in ended.stderr


def test_an_interrupted_run_says_how_to_go_on_and_ends_the_same(shell: Shell) -> None:
    long = ("lda", "train", "docs.txt", "--topics", 3, "--rounds", 500, "--workers", 1, "--verify", "off")
    quiet = shell.run(*long, "--engine", "inline", "--run", "quiet")
    process = shell.start(*long, "--run", "run")
    await_records(process, shell.folder / "run", 4)
    refuses(shell("resume", "run"), 2, "running already")
    assert shell.run("status", "run")["state"] == "running"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (75, "")
    assert "regrow resume run" in err
    assert "Traceback" not in err
    for command in (("digest",), ("lda", "topics"), ("lda", "export", "--out", "x")):
        refuses(shell(*command, "run"), 3, "not finished", "regrow resume run")
    found = shell.run("status", "run")
    assert (found["state"], found["rounds"]) == ("resumable", 500)
    assert shell.run("resume", "run", "--engine", "inline")["digest"] == quiet["digest"]


def test_a_second_interrupt_ends_at_once_and_loses_nothing(shell: Shell) -> None:
    (shell.folder / "mine.py").write_text(SLOW.replace("{gate!r}", repr(str(shell.folder / "gate"))))
    process = shell.start("run", "mine.py:Slow", "docs.txt", "--workers", 1, "--verify", "off", "--run", "run")
    await_records(process, shell.folder / "run", 1)
    process.send_signal(signal.SIGINT)
    until(lambda: "stop asked" in shell.story("run") or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    (shell.folder / "gate").touch()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert shell.run("resume", "run")["rounds"] == 3


SLOW = """
import time
from dataclasses import dataclass
from pathlib import Path
from regrow import Program, Role, Roles

@dataclass(frozen=True)
class Slow(Program):
    def roles(self, data):
        return Roles(3, work=Role(1, reads={"work": -1}))

    def work(self, part):
        while part.round == 1 and not Path({gate!r}).exists():
            time.sleep(0.02)
        part.result(n=part.round)
"""


def test_a_terminal_sees_bars_and_a_file_sees_plain_lines(shell: Shell) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "regrow.cli.main", *map(str, INLINE), "--run", "run"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(command, cwd=shell.folder, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    try:
        while data := os.read(ours, 1 << 16):
            seen += data
    except OSError:
        pass  # the terminal is closed when the command ends
    os.close(ours)
    out, _ = process.communicate(timeout=180)
    assert process.returncode == 0
    assert b"\x1b" not in out
    shown = seen.decode()
    assert "run run" in shown
    assert "12 of 12 rounds" in shown
    assert "\x1b" not in shell(*INLINE, "--run", "again").err


def test_off_a_terminal_a_plain_line_comes_now_and_then(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regrow.cli.shown.PLAIN_SECONDS", 0.0)
    err = shell(*INLINE).err
    assert "reading: " in err
    assert "training: 12 of 12 rounds, log_likelihood -" in err


def test_json_is_one_line_of_the_users_letters(shell: Shell) -> None:
    (shell.folder / "ähre.txt").write_text("süß öl süß\n")
    shell.run("lda", "train", "ähre.txt", "--topics", 2, "--rounds", 1, "--engine", "inline", "--run", "lauf ß")
    out = shell("lda", "topics", "lauf ß", "--json").out
    assert "süß" in out
    assert [topic["topic"] for topic in json.loads(out)] == [0, 1]


def test_a_bag_of_words_trains_with_its_vocabulary(shell: Shell) -> None:
    Path("docword.txt").write_text("3\n4\n5\n1 1 2\n1 2 1\n2 3 1\n3 4 1\n3 1 1\n")
    Path("vocab.txt").write_text("oak\nelm\nash\nfir\n")
    found = shell.run(
        "lda", "train", "docword.txt", "--vocab", "vocab.txt", "--topics", 2, "--rounds", 5, "--engine", "inline", "--run", "r"
    )
    assert found["tokens"] == 6
    shell("lda", "export", "r", "--out", "x")
    assert Path("x/vocab.txt").read_text() == "oak\nelm\nash\nfir\n"


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="a file system of a few megabytes needs root")
def test_a_full_disk_pauses_the_run_and_loses_nothing(shell: Shell) -> None:
    disk = shell.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(disk)], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("no mounting here")
    try:
        (shell.folder / "docs.txt").write_text(themes(3000))
        ended = shell(*TRAIN, "--workers", 1, "--verify", "off", "--no-cache", "--run", "disk/run")
        refuses(ended, 75, "No space left", "regrow resume disk/run")
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        resumed = shell.run("resume", "disk/run")
        assert resumed["digest"] == shell.run(*INLINE, "--run", "quiet")["digest"]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_a_finished_run_can_be_read_where_nothing_can_be_written(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.run(*INLINE, "--run", "run")

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("regrow.store.lock.Lock.__init__", refuse)
    assert shell("resume", "run").code == 0
    assert len(shell.run("lda", "topics", "run")) == 3
    assert shell("digest", "run").code == 0
    refuses(shell(*INLINE, "--run", "other"), 75, "Read-only file system", "see to the disk")


def test_a_person_is_told_once_why_workers_take_long_to_get_ready(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regrow.stage.READY_SECONDS", 0.05)
    (shell.folder / "slow.py").write_text(
        "import time\nfrom dataclasses import dataclass\nimport numpy as np\nfrom regrow import Program, Role, Roles\n\n"
        "@dataclass(frozen=True)\nclass Slow(Program):\n"
        "    def roles(self, data):\n        return Roles(1, a=Role(1))\n"
        "    def a(self, part):\n        part.result(x=np.zeros(1))\n"
        "    def warm(self):\n        time.sleep(0.5)\n"
    )
    found = shell("run", "slow.py:Slow", "docs.txt", "--engine", "inline")
    assert found.code == 0
    assert found.err.count("kernels are compiled at their first use") == 1
