"""The contract of a model on real engines: whoever works, whoever is killed, however the corpus is cut, the same bytes."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import regrow
from regrow.errors import DataError, ProgramError, UsageError
from shell import Shell, themes

OPTIONS = ("--topics", 8, "--rounds", 30, "--seed", 5)
DOCUMENTS = 3_000


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> regrow.LDA:
    """The model that all the others must be equal to: inline, from the same text. The cache beside it has the prepared data."""
    folder = tmp_path_factory.mktemp("quiet")
    (folder / "docs.txt").write_text(themes(DOCUMENTS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        return regrow.LDA(8, rounds=30, seed=5).fit(folder / "docs.txt", engine="inline", run=folder / "run")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "docs.txt").write_text(themes(DOCUMENTS))
    return Shell(tmp_path, capsys)


@pytest.mark.processes
@pytest.mark.parametrize(
    "how",
    [
        ("--workers", 1, "--verify", "off"),
        ("--workers", 3),
        ("--workers", 2, "--grid", "5x7", "--verify", "off"),
        ("--workers", 2, "--durable-every", 0.1, "--likelihood-every", 0),
    ],
    ids=lambda how: " ".join(map(str, how)),
)
def test_the_same_digest_whoever_works(shell: Shell, quiet: regrow.LDA, how: tuple[object, ...]) -> None:
    assert shell.run("lda", "train", "docs.txt", *OPTIONS, *how)["digest"] == quiet.digest_


@pytest.mark.processes
def test_the_same_digest_with_learned_priors_and_mergers_whoever_is_killed(shell: Shell) -> None:
    lines = [" ".join(f"s{line % 8}w{word}" for word in range(10)) for line in range(800)]  # of which topics find duplicates
    (shell.folder / "docs.txt").write_text("\n".join(lines))
    options = (*OPTIONS, "--topics", 30, "--learn-alpha", "--learn-beta", "--merge-every", 12)
    quiet = shell.run("lda", "train", "docs.txt", *options, "--engine", "inline", "--run", "quiet")
    assert quiet["metrics"]["merged_topics"] > 0
    assert quiet["metrics"]["alpha_sum"] != 5.0
    assert shell.under_fire("lda", "train", "docs.txt", *options, "--workers", 3, "--grid", "3x4")["digest"] == quiet["digest"]


@pytest.mark.processes
def test_the_same_digest_while_workers_are_killed(shell: Shell, quiet: regrow.LDA) -> None:
    assert shell.under_fire("lda", "train", "docs.txt", *OPTIONS, "--workers", 3)["digest"] == quiet.digest_


@pytest.mark.processes
def test_the_same_digest_after_the_coordinator_was_killed(shell: Shell, quiet: regrow.LDA) -> None:
    process = shell.start(
        "lda", "train", "docs.txt", *OPTIONS, "--workers", 1, "--verify", "off", "--run", "run", REGROW_CRASH="record-written:5"
    )
    _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err
    assert shell.run("status", "run")["state"] == "resumable"
    found = shell.run("resume", "run", "--workers", 2)
    assert found["digest"] == quiet.digest_
    assert "going on" in shell.story("run")


def test_the_same_digest_on_any_grid_and_from_a_compressed_file(shell: Shell, quiet: regrow.LDA) -> None:
    (shell.folder / "docs.txt.gz").write_bytes(gzip.compress((shell.folder / "docs.txt").read_bytes()))
    for more in (("--grid", "1x1"), ("--grid", "2x9"), ("--durable-every", 0)):
        assert shell.run("lda", "train", "docs.txt.gz", *OPTIONS, "--engine", "inline", *more)["digest"] == quiet.digest_


def test_another_seed_makes_another_model(shell: Shell, quiet: regrow.LDA) -> None:
    assert shell.run("lda", "train", "docs.txt", *OPTIONS, "--engine", "inline", "--seed", 6)["digest"] != quiet.digest_


# What Python users hold


def test_fit_finds_the_planted_themes(quiet: regrow.LDA) -> None:
    assert len(quiet.digest_) == 64
    assert -8 < quiet.log_likelihood_ < -3
    for words in quiet.top_words(5):
        assert len(words) == 5
        counts = [count for _, count in words]
        assert counts == sorted(counts, reverse=True)
    leading = [words[0][0][:2] for words in quiet.top_words(1)]
    assert set(leading) == {f"t{theme}" for theme in range(5)}


def test_a_model_is_saved_loaded_and_equal(quiet: regrow.LDA, tmp_path: Path) -> None:
    quiet.save(tmp_path / "model")
    loaded = regrow.LDA.load(tmp_path / "model")
    assert repr(loaded) == repr(quiet) == "LDA(n_topics=8, rounds=30, seed=5)"
    assert (loaded.digest_, loaded.log_likelihood_) == (quiet.digest_, quiet.log_likelihood_)
    assert loaded.top_words(7) == quiet.top_words(7)
    loaded.save(tmp_path / "again")
    assert regrow.LDA.load(tmp_path / "again").digest_ == quiet.digest_
    with pytest.raises(UsageError, match="there already"):
        quiet.save(tmp_path / "model")
    with pytest.raises(DataError, match="holds no model"):
        regrow.LDA.load(tmp_path)


def test_an_unfitted_model_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="call fit"):
        regrow.LDA(5).top_words()
    with pytest.raises(UsageError, match="topics"):
        regrow.LDA(1).fit("docs.txt")


def test_fit_without_a_run_leaves_nothing_but_the_model(shell: Shell) -> None:
    (shell.folder / "docs.txt").write_text(themes(30))
    model = regrow.LDA(2, alpha=0.5, rounds=2).fit([shell.folder / "docs.txt"], engine="inline")
    assert model.model_.arrays["alpha"].tolist() == [0.5, 0.5]
    with pytest.raises(DataError, match="no such file"):
        model.fit("nowhere.txt")
    assert {path.name for path in shell.folder.iterdir()} == {"docs.txt", "cache"}
    assert np.isfinite(model.log_likelihood_)


# Programs of one's own, from a script and typed in

SCRIPT = """
import regrow
from dataclasses import dataclass

@dataclass(frozen=True)
class Lines(regrow.Program):
    def roles(self, data):
        return regrow.Roles(text=regrow.Role(data.partitions, data="text"))

    def text(self, part):
        part.result(n=len(list(part.fixed.lines())))

{guard}
    print(regrow.run(Lines(), "docs.txt", {how}).model["text.n"])
"""


def python(shell: Shell, *words: str) -> tuple[int, str, str]:
    """Run Python on a script or a text."""
    import subprocess

    ended = subprocess.run([sys.executable, *words], cwd=shell.folder, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout, ended.stderr.strip()


@pytest.mark.processes
def test_a_script_runs_a_program_of_its_own(shell: Shell) -> None:
    (shell.folder / "guarded.py").write_text(SCRIPT.format(guard='if __name__ == "__main__":', how="workers=1"))
    assert python(shell, "guarded.py") == (0, f"[{DOCUMENTS}]\n", "")
    (shell.folder / "bare.py").write_text(SCRIPT.format(guard="if True:", how="workers=1"))
    code, out, err = python(shell, "bare.py")
    assert (code, out) == (1, "")
    assert err.endswith('put what starts it below: if __name__ == "__main__":')


def test_a_program_that_was_typed_in_runs_inline_and_is_otherwise_advised(shell: Shell) -> None:
    assert python(shell, "-c", SCRIPT.format(guard="if True:", how='engine="inline"')) == (0, f"[{DOCUMENTS}]\n", "")
    code, out, err = python(shell, "-c", SCRIPT.format(guard="if True:", how="workers=1"))
    assert (code, out) == (1, "")
    assert err.endswith('run it with engine="inline"')


def test_a_program_that_raises_raises_in_the_callers_process(shell: Shell) -> None:
    from programs import Faulty

    with pytest.raises(ProgramError, match="seven is not eight"):
        regrow.run(Faulty("raise"), "docs.txt", engine="inline")


def test_a_program_in_a_module_beside_the_script_is_found_by_workers(shell: Shell) -> None:
    module, _, rest = SCRIPT.partition("{guard}")
    (shell.folder / "lines_program.py").write_text(module)
    (shell.folder / "docs.txt").write_text("one\ntwo\n")
    script = "import regrow\nfrom lines_program import Lines\nif __name__ == '__main__':" + rest.format(how="workers=1")
    (shell.folder / "script.py").write_text(script)
    ended = subprocess.run([sys.executable, "script.py"], cwd=shell.folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_a_program_that_counts_its_calls_is_found_out(shell: Shell) -> None:
    (shell.folder / "docs.txt").write_text("one\ntwo\n")
    (shell.folder / "counting.py").write_text(
        "from dataclasses import dataclass\n"
        "from regrow import Program, Role, Roles\n"
        "CALLS = []\n"
        "@dataclass(frozen=True)\n"
        "class Counting(Program):\n"
        "    def roles(self, data):\n"
        "        return Roles(3, text=Role(data.partitions, data='text'))\n"
        "    def text(self, part):\n"
        "        CALLS.append(part.round)\n"
        "        part.result(n=len(CALLS))\n"
    )
    ended = shell("run", "counting.py:Counting", "docs.txt", "--workers", 1)
    assert ended.code == 4, ended.err
    assert "differ" in ended.err
