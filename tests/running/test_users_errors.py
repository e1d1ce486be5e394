"""What the author of a program meets who made a mistake: their own lines, where it was, what to do; and nothing of ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import regrow
from regrow.errors import ProgramError
from shell import Ended, Shell, refuses

SOUND = """
from dataclasses import dataclass
from typing import Literal

import numpy as np

from regrow import Data, Partition, Program, Role, Roles
from regrow.errors import DataError


@dataclass(frozen=True)
class Mine(Program):
    k: int = 4
    rate: float = 0.5
    loud: bool = False
    kind: Literal["mean", "median"] = "mean"
    sizes: tuple[int, ...] = (1, 2)
    limit: int | None = None

    def roles(self, data: Data) -> Roles:
        return Roles(3, lines=Role(2, reads={"judge": -1}), judge=Role(1, reads={"lines": 0}))

    def lines(self, part: Partition) -> None:
        part.send("judge", 0, n=np.arange(self.k))

    def judge(self, part: Partition) -> None:
        total = sum(int(message["n"].sum()) for message in part.inbox("lines"))
        part.broadcast("lines", total=total)
        part.keep(total=np.full(2, total))
        part.result(total=total, k=self.k, rate=self.rate, loud=self.loud, mean=self.kind == "mean", sizes=self.sizes)
"""

AT_THE_END_OF_JUDGE = "        part.result(total"


PAUSED_WHILE_COMPILING = """
    def warm(self) -> None:
        import os, signal
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Exception:
            raise ValueError("a library made this of it")
"""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.txt").write_text("a line\n")
    (tmp_path / "mine.py").write_text(SOUND)
    return Shell(tmp_path, capsys)


def run(shell: Shell, text: str, *more: object) -> Ended:
    (shell.folder / "mine.py").write_text(text)
    return shell("run", "mine.py:Mine", "data.txt", "--engine", "inline", "--run", "r", "--overwrite", *more)


def is_theirs_alone(shell: Shell, ended: Ended) -> None:
    """The places that are shown are lines of mine.py, by the name that its author knows."""
    ours = str(Path(regrow.__file__).parent)
    assert ours not in ended.err
    assert "fault of regrow" not in ended.err
    places = [line for line in ended.err.splitlines() if line.strip().startswith("File ")]
    assert all('File "mine.py", line ' in place for place in places), places


STEP = 'role "judge", partition 0, round 0'

MISTAKES: list[tuple[str, str, Sequence[str]]] = [
    # importing
    ("import numpy as np", "import nunpy as np", ('File "mine.py", line 5', "No module named 'nunpy'")),
    ("import numpy as np", "import numpy as np\nlimits = {}['least']", ('line 6, in <module>', "KeyError: 'least'")),
    ("    k: int = 4", "    k: int = 4 +", ('File "mine.py", line 13', "SyntaxError: invalid syntax")),
    ("    k: int = 4", "    k: 'Whole' = 4", ("types of Mine's parameters", "name 'Whole' is not defined")),
    ("@dataclass(frozen=True)\n", "", ("is no dataclass", "put @dataclass(frozen=True) above the class")),
    ("    limit: int", "    names: list = ()\n    def __post_init__(self):\n        self.k / 0\n    limit: int",
     ("does not take these parameters", "in __post_init__", "ZeroDivisionError")),
    ("    limit: int | None = None", "    limit: object = np.float32(1)", ("Mine.limit is a float32", "what is larger is data")),
    # roles
    ("return Roles(3,", "return (3 / 0) or Roles(3,", ("Mine.roles()", "in roles", "ZeroDivisionError")),
    ("@dataclass(frozen=True)\n", "@dataclass\n", ("Mine is not frozen", "write @dataclass(frozen=True)")),
    ("Roles(3,", "Roles(rounds=3,", ('role "rounds": 3 is no Role', "the number of rounds comes first")),
    ('{"lines": 0}', '["lines"]', ("role \"judge\": reads=['lines']", 'write reads={"other": 0}')),
    ("lines=Role(2,", "lines=Role(4 / 2,", ('role "lines": partitions=2.0', "n // m")),
    ("lines=Role(2, reads", "lines=dict(n=2, reads", ('role "lines": {', "is no Role", "write Roles(rounds, name=Role(")),
    ("def lines(self, part: Partition)", "def lines(self)", ("is no role", "define def lines(self, part)")),
    ("def lines(self", "def line(self", ('has a role "lines" but no method', "define def lines(self, part)")),
    ('judge=Role(1, reads={"lines": 0})', 'judge=Role(1)', ('role "lines" sends to "judge", which does not read it', "in lines")),
    # a step
    ("total = sum(", "total = 1 / 0 + sum(", (STEP, "in judge", "ZeroDivisionError: division by zero")),
    ('message["n"].sum()', 'message["m"].sum()', (STEP, "in judge", "KeyError: 'm'")),
    ('part.broadcast("lines"', 'part.send("lines", 2', (STEP, "in judge", 'sends to partition 2 of "lines" (it has 2)')),
    ('part.inbox("lines")', 'part.inbox("line")', (STEP, "in judge", 'asks for the inbox of "line"')),
    ("part.keep(total=np.full(2, total))", "part.state['total'][0] = 1", (STEP, "in judge", "KeyError: 'total'")),
    ("part.keep(total=np.full(2, total))", "next(part.inbox('lines'))['n'][0] = 1", (STEP, "in judge", "what a task reads is read-only")),
    ("part.keep(total=np.full(2, total))", "part.change([0], total=[1])", (STEP, "changes a state that it never kept")),
    ("part.keep(total=np.full(2, total))", "part.metric('m', [1, 2])", (STEP, "a metric is one number")),
    ("part.keep(total=np.full(2, total))", "raise SystemExit('enough')", (STEP, "SystemExit: enough")),
    ("part.keep(total=np.full(2, total))", "part.fixed['text']", (STEP, "in judge", 'role "judge" has no data')),
    # wrong types
    ("n=np.arange(self.k))", "n={1, 2})", ("partition 0, round 0", "in lines", '"n" has type object')),
    ("part.keep(total=np.full(2, total))", "return {'total': total}",
     (STEP, "Mine.judge() returned a dict", "part.send, part.keep, part.result")),
    ("part.keep(total=np.full(2, total))", "yield total", (STEP, "Mine.judge() has a yield", "write a plain method")),
    ("    def judge", "    def model(self, results):\n        return [1]\n    def judge",
     ("model() returned a list", "return arrays by name")),
    ("    def judge", "    def model(self, results):\n        return results['judges']\n    def judge",
     ("Mine.model()", "in model", "KeyError")),
    ("    def judge", "    def warm(self):\n        return self.warmth\n    def judge",
     ("cannot be made ready", "in warm", "no attribute 'warmth'")),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "words"), MISTAKES, ids=[f"{i}-{wrong[:30]!r}" for i, (_, wrong, _) in enumerate(MISTAKES)])
def test_a_mistake_is_shown_in_the_authors_own_lines(shell: Shell, right: str, wrong: str, words: Sequence[str]) -> None:
    assert right in SOUND
    ended = run(shell, SOUND.replace(right, wrong, 1))
    refuses(ended, 4, *words)
    is_theirs_alone(shell, ended)


def test_the_program_without_mistakes_runs(shell: Shell) -> None:
    assert run(shell, SOUND).code == 0


def test_what_led_to_an_error_is_told_first(shell: Shell) -> None:
    wrong = "try:\n            {}['a']\n        except KeyError as error:\n            raise ValueError('no a') from error"
    ended = run(shell, SOUND.replace("part.keep(total=np.full(2, total))", wrong))
    refuses(ended, 4, "KeyError: 'a'\nbecause of that:\n", "ValueError: no a")
    is_theirs_alone(shell, ended)


def test_lines_of_libraries_are_left_out_and_the_call_of_them_is_shown(shell: Shell) -> None:
    ended = run(shell, SOUND.replace("total=np.full(2, total)", "total=np.stack([np.zeros(2), np.zeros(3)])"))
    refuses(ended, 4, "in judge", "np.stack", "all input arrays must have the same shape")
    is_theirs_alone(shell, ended)


def test_a_mistake_in_a_report_leaves_the_model(shell: Shell) -> None:
    ended = run(shell, SOUND.replace("    def judge", "    def report(self, model):\n        return model['nothing']\n    def judge"))
    assert ended.code == 0
    assert "the model is made, but Mine.report() failed" in ended.err
    assert 'File "mine.py", line ' in ended.err
    assert "KeyError: 'nothing'" in ended.err
    is_theirs_alone(shell, ended)


@pytest.mark.processes
def test_other_processes_say_the_same(shell: Shell) -> None:
    for right, wrong, words in (MISTAKES[-15], MISTAKES[-1]):
        (shell.folder / "mine.py").write_text(SOUND.replace(right, wrong, 1))
        ended = shell("run", "mine.py:Mine", "data.txt", "--workers", 1, "--run", "r", "--overwrite")
        refuses(ended, 4, *words)
        is_theirs_alone(shell, ended)


def test_both_ways_to_mend_a_program_work(shell: Shell) -> None:
    ended = run(shell, SOUND.replace("total = sum(", "total = (1 / 0 if part.round == 1 else 0) + sum("))
    refuses(ended, 4, "mend mine.py and begin anew", "or mend the run's own copy, r/program/mine.py", "regrow resume r --accept-changes")
    (shell.folder / "r" / "program" / "mine.py").write_text(SOUND)
    assert shell("resume", "r", "--accept-changes").code == 0
    assert run(shell, SOUND).code == 0


# Parameters


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("kk=5", ('Mine has no parameter "kk"', 'did you mean "k"?', "k (int, 4)", "kind ('mean' or 'median', 'mean')")),
        ("zzz=5", ('Mine has no parameter "zzz"', "it has: k (int, 4), rate (float, 0.5)")),
        ("k=five", ('k="five" is no int', "--set k=4")),
        ("k=2.5", ('k="2.5" is no int', "--set k=4")),
        ("rate=fast", ('rate="fast" is no float', "--set rate=0.5")),
        ("rate=nan", ('rate="nan" is no float', "--set rate=0.5")),
        ("loud=maybe", ('loud="maybe" is no bool', "--set loud=no")),
        ("kind=mode", ("kind=\"mode\" is no 'mean' or 'median'", "--set kind=mean")),
        ("sizes=1,x", ('sizes="1,x" is no tuple[int, ...]', "--set sizes=1,2")),
        ("limit=x", ('limit="x" is no int | None', "--set limit=3")),
        ("k", ("--set k", "write --set NAME=VALUE")),
    ],
)
def test_a_wrong_parameter_is_refused_with_a_right_one(shell: Shell, given: str, words: Sequence[str]) -> None:
    ended = run(shell, SOUND, "--set", given)
    refuses(ended, 2, *words)
    assert not (shell.folder / "r").exists()


def test_parameters_take_the_type_of_their_field(shell: Shell) -> None:
    given = ("k=1_0", "rate=2", "loud=yes", "kind=median", "sizes=3, 4,5", "limit=none")
    assert run(shell, SOUND, *(word for value in given for word in ("--set", value))).code == 0
    model = regrow.launch.read_model(shell.folder / "r")
    assert model.parameters == {"k": 10, "rate": 2.0, "loud": True, "kind": "median", "sizes": [3, 4, 5], "limit": None}
    assert model.arrays["judge.sizes"].tolist() == [3, 4, 5]


def test_a_parameter_that_has_no_default_is_asked_for(shell: Shell) -> None:
    refuses(run(shell, SOUND.replace("k: int = 4", "k: int")), 2, "Mine needs k", "--set k=3")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mine.py", ("names no program", "mine.py:Mine")),
        ("mine.py:Mien", ("mine.py has no program called Mien", "did you mean Mine?")),
        ("nothing.py:Mine", ("nothing.py: no such file",)),
        ("no.such.module:Mine", ("there is no module no.such.module",)),
    ],
)
def test_a_wrong_name_is_answered_with_a_right_one(shell: Shell, name: str, words: Sequence[str]) -> None:
    refuses(shell("run", name, "data.txt"), 2, *words)


def test_a_program_that_reads_data_is_told_that_there_is_none_and_another_needs_none(shell: Shell) -> None:
    assert shell("run", "mine.py:Mine", "--engine", "inline").code == 0
    (shell.folder / "mine.py").write_text(SOUND.replace("lines=Role(2,", "lines=Role(data.partitions, data='text',"))
    refuses(shell("run", "mine.py:Mine", "--engine", "inline"), 3, "there is none", "name text files")
    (shell.folder / "mine.py").write_text(SOUND.replace("lines=Role(2,", "lines=Role(2, data='text',"))
    refuses(shell("run", "mine.py:Mine", "--engine", "inline"), 3, 'reads the layout "text"', "name the files that it is made of")


def test_from_python_the_words_are_the_same(shell: Shell) -> None:
    (shell.folder / "other.py").write_text(SOUND.replace("total = sum(", "total = 1 / 0 + sum("))
    program = regrow.launch.ProgramName("other.py", "Mine").load()()
    with pytest.raises(ProgramError) as caught:
        regrow.run(program, "data.txt", engine="inline")
    assert STEP in caught.value.message
    assert 'File "other.py", line ' in caught.value.message
    assert "program/other.py" not in str(caught.value)


def test_a_signal_that_comes_while_a_library_compiles_pauses_the_run(shell: Shell) -> None:
    ended = run(shell, SOUND + PAUSED_WHILE_COMPILING)
    assert ended.code == 75
    assert "interrupted by SIGTERM" in ended.err
