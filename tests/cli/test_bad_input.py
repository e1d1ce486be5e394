"""Whatever a user gets wrong: a message that says what, where and what to do; the right exit code; nothing half-written."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from regrow.models.lda import specs
from shell import EXAMPLES, Shell, refuses

TRAIN = ("lda", "train")
SMALL = ("--topics", 3, "--rounds", 3, "--engine", "inline")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--topics", 1, "from 2 to"),
        ("--topics", 0, "from 2 to"),
        ("--topics", 2**40, "from 2 to"),
        ("--topics", 2**31, "of memory"),
        ("--rounds", 0, "at least one"),
        ("--alpha", "-1", "greater than 0"),
        ("--alpha-sum", "nan", "greater than 0"),
        ("--beta", 0, "greater than 0"),
        ("--likelihood-every", -1, "0 for only at the end"),
        ("--grid", "0x3", "e.g. --grid 8x8"),
        ("--grid", "5", "e.g. --grid 8x8"),
        ("--grid", "5000x5", "e.g. --grid 8x8"),
        ("--workers", 0, "at least one"),
        ("--workers", 5000, "from 1 to 4096"),
        ("--preempt", 0, "above 0"),
        ("--preempt", "nan", "above 0"),
        ("--durable-every", -1, "0 for no cuts"),
        ("--durable-every", "nan", "0 for no cuts"),
        ("--engine", "spark", "local, inline and ray"),
        ("--verify", "always", "auto or off"),
        ("--format", "pdf", "--format is one of"),
        ("--token-pattern", "(", "regular expression"),
        ("--min-count", 0, "keeps every word"),
        ("--max-doc-share", 2, "at most 1"),
        ("--text-field", "body", "no fields"),
        ("--rounds", "many", "integer"),
        ("--seed", -1, "from 0 to 2^63 - 1"),
        ("--seed", 10**23, "from 0 to 2^63 - 1"),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_there_is_a_run(shell: Shell, option: str, value: object, said: str) -> None:
    refuses(shell(*TRAIN, "docs.txt", option, value, "--run", "run"), 2, said)
    assert not (shell.folder / "run").exists()


def test_topics_that_take_much_memory_are_told_and_those_that_cannot_fit_are_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specs, "memory_bytes", lambda: 100_000)
    few = (*TRAIN, "docs.txt", "--rounds", 1, "--engine", "inline")
    refuses(shell(*few, "--topics", 2_000, "--run", "run"), 2, "2,000 topics", "of memory for each task", "--topics 100")
    assert not (shell.folder / "run").exists()
    much = shell(*few, "--topics", 1_000)
    assert much.code == 0
    assert "1,000 topics take" in much.err
    assert "topics take" not in shell(*few, "--topics", 20).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*TRAIN, "docs.txt", "--run", ""), "nothing after --run"),
        ((*TRAIN, "docs.txt", "--run="), "--run= says nothing"),
        (("run", "a.py:A", "--run", "", "docs.txt"), "nothing after --run"),
        (("resume", ""), "nothing after resume"),
        (("lda", "infer", "run", "docs.txt", "--out", ""), "nothing after --out"),
    ],
)
def test_an_empty_path_is_not_the_folder_that_one_is_in(shell: Shell, words: tuple[str, ...], said: str) -> None:
    before = sorted(shell.folder.iterdir())
    refuses(shell(*words), 2, said, "variable of the shell")
    assert sorted(shell.folder.iterdir()) == before


def test_text_that_is_no_utf8_is_no_fault_of_a_program(shell: Shell) -> None:
    (shell.folder / "latin.txt").write_bytes(b"fine\ncaf\xe9\n")
    refuses(
        shell("run", EXAMPLES / "wordcount.py:WordCount", "latin.txt", "--engine", "inline", "--run", "run"),
        3, "latin.txt, line 2: byte 4 of the line is 0xe9", "iconv",
    )  # fmt: skip


def test_files_of_two_formats_are_told_with_a_pattern_for_one(shell: Shell) -> None:
    (shell.folder / "a.jsonl").write_text('{"text": "a b"}\n')
    refuses(shell(*TRAIN, "docs.txt", "a.jsonl"), 3, "looks like", "(e.g. '*.jsonl')")


def test_unknown_commands_and_options_are_wrong_usage(shell: Shell) -> None:
    refuses(shell("fly"), 2, "fly")
    refuses(shell(*TRAIN), 2, "no input file is named")
    refuses(shell(*TRAIN, "docs.txt", "--topicz", 3), 2, "--topics")
    refuses(shell(*TRAIN, "docs.txt", "docs.txt"), 2, "named twice")
    refuses(shell(*TRAIN, "-", "-"), 2, "the standard input is named twice")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.txt", None, ["missing.txt: no such file"]),
        ("empty.txt", b"", ["empty.txt is empty"]),
        ("blank.txt", b"  \n\n", ["blank.txt holds no text"]),
        ("plain.txt.gz", b"words\n", ["not a gzip file"]),
        ("news.csv", b"id,title,body\n1,a,b\n", ['line 1: no field "text" (fields: id, title, body)', "--text-field body"]),
        ("docword.x.txt", b"3\nfour\n5\n", ["line 2", '"four"']),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_before_there_is_a_run(
    shell: Shell, name: str, content: bytes | None, said: list[str]
) -> None:
    if content is not None:
        (shell.folder / name).write_bytes(content)
    refuses(shell(*TRAIN, name, *SMALL, "--run", "run"), 3, *said)
    assert not (shell.folder / "run").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("latin.txt", b"fine\nfine\ncaf\xe9\n", ["latin.txt, line 3: byte 4", "0xe9", "iconv"]),
        ("news.jsonl", b'{"text": "a b"}\n{"body": "c"}\n', ['news.jsonl, line 2: no field "text" (fields: body)', "--text-field body"]),
        ("torn.jsonl", b'{"text": "a b"}\n{"text": "c\n', ["torn.jsonl, line 2: not a JSON object"]),
        ("docword.a.txt", b"2\n4\n3\n1 1 2\n1 x 1\n2 3 1\n", ["docword.a.txt, line 5: three integers", '"1 x 1"']),
        ("docword.b.txt", b"2\n4\n3\n1 1 2\n1 9 1\n2 3 1\n", ["docword.b.txt, line 5: word 9 is not in 1..4"]),
        ("dots.txt", b"... !!!\n", ["no words were found"]),
        ("cut.txt.gz", gzip.compress(b"some words here\n" * 9000)[:-30], ["cut.txt.gz: the gzip stream ends early", "cut off"]),
    ],
)
def test_bad_content_is_named_by_file_and_line_once(shell: Shell, name: str, content: bytes, said: list[str]) -> None:
    (shell.folder / name).write_bytes(content)
    ended = shell(*TRAIN, name, *SMALL, "--run", "run")
    refuses(ended, 3, *said)
    assert ended.err.count(said[0]) == 1
    assert not (shell.folder / "run" / "model").exists()


@pytest.mark.parametrize(("lines", "said"), [(3, "has 3 lines"), (5, "has 5 lines"), (None, "no such file")])
def test_a_vocabulary_of_the_wrong_length_is_refused(shell: Shell, lines: int | None, said: str) -> None:
    (shell.folder / "docword.txt").write_text("2\n4\n3\n1 1 2\n1 2 1\n2 3 1\n")
    if lines:
        (shell.folder / "vocab.txt").write_text("".join(f"w{i}\n" for i in range(lines)))
    refuses(shell(*TRAIN, "docword.txt", "--vocab", "vocab.txt", *SMALL, "--run", "run"), 3, said)
    assert not (shell.folder / "run").exists()


def test_filters_that_leave_nothing_are_named(shell: Shell) -> None:
    refuses(shell(*TRAIN, "docs.txt", "--min-count", 10**6, *SMALL), 3, "no documents are left", "--min-count")


def test_an_existing_run_has_three_choices(shell: Shell) -> None:
    before = shell.run(*TRAIN, "docs.txt", *SMALL, "--run", "run")
    again = (*TRAIN, "docs.txt", *SMALL, "--seed", 2, "--run", "run")
    refuses(shell(*again), 2, "regrow resume run", "--run DIR", "--overwrite")
    assert shell("digest", "run").out.strip() == before["digest"]
    assert shell.run(*again, "--overwrite")["digest"] != before["digest"]


def test_a_folder_that_is_no_run_is_never_overwritten(shell: Shell) -> None:
    (shell.folder / "photos").mkdir()
    (shell.folder / "photos" / "cat.jpg").write_text("cat")
    refuses(shell(*TRAIN, "docs.txt", *SMALL, "--run", "photos", "--overwrite"), 2, "is no run", "--run DIR")
    refuses(shell(*TRAIN, "docs.txt", *SMALL, "--run", "docs.txt"), 2, "docs.txt")
    refuses(shell(*TRAIN, "docs.txt", *SMALL, "--run", "/proc/nowhere/run"), 2, "cannot be made")
    assert (shell.folder / "photos" / "cat.jpg").read_text() == "cat"


@pytest.mark.parametrize("command", [("resume",), ("status",), ("digest",), ("lda", "topics"), ("lda", "export", "--out", "x")])
def test_what_is_no_run_is_said_to_be_none(shell: Shell, command: tuple[str, ...]) -> None:
    for path in ("nowhere", "docs.txt"):
        refuses(shell(*command, path), 3, path)
    assert not (shell.folder / "x").exists()


def test_the_parameters_of_an_own_program_are_checked_by_name_and_type(shell: Shell) -> None:
    (shell.folder / "mine.py").write_text(MINE)
    refuses(shell("run", "mine.py:Mine", "docs.txt"), 2, "needs size", "--set size=")
    refuses(shell("run", "mine.py:Mine", "docs.txt", "--set", "size=big"), 2, 'size="big"', "int")
    refuses(shell("run", "mine.py:Mine", "docs.txt", "--set", "color=3"), 2, '"color"', "it has: size")
    refuses(shell("run", "mine.py:Mine", "docs.txt", "--set", "size"), 2, "NAME=VALUE")
    assert not (shell.folder / "runs").exists()


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("nofile.py:Mine", 2, "nofile.py: no such file"),
        ("mine.py", 2, "names no program"),
        ("mine.py:Yours", 2, "it has: Mine"),
        ("torn.py:Mine", 4, "SyntaxError"),
        ("lost.py:Mine", 4, "No module named 'nowhere_to_be_found'"),
    ],
)
def test_a_program_that_cannot_be_had_is_said_so(shell: Shell, program: str, code: int, said: str) -> None:
    for name, text in (("mine.py", MINE), ("torn.py", "def f(:\n"), ("lost.py", "import nowhere_to_be_found\n")):
        (shell.folder / name).write_text(text)
    ended = shell("run", program, "docs.txt")
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert not (shell.folder / "runs").exists()


def test_a_program_that_raises_is_shown_with_its_line_and_can_be_mended(shell: Shell) -> None:
    (shell.folder / "mine.py").write_text(MINE)
    ended = shell("run", "mine.py:Mine", "docs.txt", "--set", "size=0", "--run", "run", "--engine", "inline")
    assert (ended.code, ended.out) == (4, "")
    assert "ZeroDivisionError" in ended.err
    assert "1 // self.size" in ended.err
    assert "regrow resume run" in ended.err
    assert shell.run("status", "run")["state"] == "failed"
    copy = shell.folder / "run" / "program" / "mine.py"
    copy.write_text(copy.read_text().replace("1 // self.size", "7"))
    refuses(shell("resume", "run"), 3, "--accept-changes")
    assert shell.run("resume", "run", "--accept-changes")["digest"]


def test_what_a_program_prints_never_reaches_stdout(shell: Shell) -> None:
    (shell.folder / "mine.py").write_text(MINE.replace("# say", "print('noise')"))
    ended = shell("run", "mine.py:Mine", "docs.txt", "--set", "size=3", "--engine", "inline")
    assert (ended.code, ended.out) == (0, "a report\n")
    assert "noise" in ended.err


def test_a_report_that_fails_loses_no_model(shell: Shell) -> None:
    (shell.folder / "mine.py").write_text(MINE.replace('"a report"', "1 // 0"))
    ended = shell("run", "mine.py:Mine", "docs.txt", "--set", "size=3", "--run", "run", "--engine", "inline")
    assert ended.code == 0
    assert "report() failed" in ended.err
    assert shell("digest", "run").out.strip() in ended.err


MINE = """
from dataclasses import dataclass
import numpy as np
from regrow import Program, Role, Roles

# say

@dataclass(frozen=True)
class Mine(Program):
    size: int

    def roles(self, data):
        # say
        return Roles(work=Role(2))

    def work(self, part):
        # say
        part.result(n=np.array([1 // self.size]))

    def report(self, model):
        # say
        return "a report"
"""


def test_an_export_that_cannot_be_written_leaves_nothing(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.run(*TRAIN, "docs.txt", *SMALL, "--run", "run")
    refuses(shell("lda", "export", "run", "--out", "docs.txt"), 2, "is a file")
    refuses(shell("lda", "export", "run", "--out", "x", "--format", "xml"), 2, "npz")
    assert not (shell.folder / "x").exists()

    def full(self: object, folder: Path) -> None:
        (Path(folder) / "counts.npz").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("regrow.models.lda.model.TopicModel.export_npz", full)
    refuses(shell("lda", "export", "run", "--out", "x"), 2, "No space left")
    assert not list((shell.folder / "x").iterdir())


@pytest.mark.parametrize("name", ["program/thesis.txt", "lock", "run.new", "how.new"])
def test_a_folder_of_somebody_elses_is_never_touched(shell: Shell, name: str) -> None:
    theirs = shell.folder / "theirs" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("precious")
    refuses(shell(*TRAIN, "docs.txt", *SMALL, "--run", "theirs"), 2, "is no run")
    refuses(shell(*TRAIN, "docs.txt", *SMALL, "--run", "theirs", "--overwrite"), 2, "is no run")
    assert theirs.read_text() == "precious"
