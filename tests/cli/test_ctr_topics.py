"""Topics of a text as features of clicks: what rare ads fall back on."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from shell import Shell, refuses

INLINE = ("--engine", "inline")


def ads(number: int, seed: int) -> str:
    """Rows of ads that stand once each; their texts are about one of two themes, and that makes the click."""
    chance = random.Random(seed)
    lines = ["click,ad,text"]
    for n in range(number):
        theme = chance.randrange(2)
        words = " ".join(f"w{theme}x{chance.randrange(20)}" for _ in range(12))
        lines.append(f'{int(chance.random() < (0.8 if theme else 0.2))},ad{seed}-{n},"{words}, ""new"""')
    return "\n".join(lines) + "\n"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "train.csv").write_text(ads(800, 1))
    (tmp_path / "test.csv").write_text(ads(300, 2))
    return Shell(tmp_path, capsys)


@pytest.mark.slow
def test_topics_serve_ads_that_were_never_seen(shell: Shell) -> None:
    shell.run("lda", "train", "train.csv", "--text-field", "text", "--topics", 2, "--rounds", 20, *INLINE, "--run", "topics")
    train = ("ctr", "train", "train.csv", "--label", "click", "--topics", "topics", *INLINE)
    refuses(shell(*train, "--run", "run"), 2, "--text-field")
    shell.run(*train, "--text-field", "text", "--run", "run")
    report = shell.run("ctr", "evaluate", "run", "test.csv", *INLINE, "--run", "measured")
    assert report["log_loss"] < report["baseline_loss"] - 0.1
    assert report["bands"][0]["units"] == 300, "all ads are new"
    lines = [json.loads(line) for line in shell("ctr", "predict", "run", "test.csv", *INLINE).out.splitlines()]
    assert len(lines) == 300
    assert max(line["p"] for line in lines) > 0.6
    told = shell.run("ctr", "explain", "run", "1,ad1,words,t0")
    assert {part["field"] for part in told["features"]} == {"", "ad", "topics"}
    third = (shell.folder / "test.csv").read_text().splitlines()[3]
    for row in ("test.csv:4", third, third.partition(",")[2]):
        told = shell.run("ctr", "explain", "run", row)
        assert {part["field"] for part in told["features"]} == {"", "ad", "topics"}, "topics are inferred"
        assert told["p"] == pytest.approx(lines[2]["p"], abs=1e-6)
    shutil.rmtree(shell.folder / "topics")
    refuses(shell("ctr", "predict", "run", "test.csv", *INLINE), 3, "topics holds no model")
    refuses(shell("ctr", "explain", "run", third), 3, "topics holds no model")
