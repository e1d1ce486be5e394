"""The examples do what they say, and keep the promise."""

from __future__ import annotations

import importlib.util
import random
import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from regrow.rng import key_of, uniforms
from regrow.store.model import read_model
from shell import EXAMPLES, Shell, refuses, themes

ENGINES = (("--engine", "inline"), ("--workers", 2), ("--workers", 2, "--preempt", 0.1))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Shell(tmp_path, capsys)


def example(name: str) -> ModuleType:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.processes
def test_wordcount_counts_as_a_counter_does_on_every_engine(shell: Shell) -> None:
    text = themes(2_000) + "Ünï-code A a\x0cform\n"
    (shell.folder / "docs.txt").write_text(text)
    asked = ("run", EXAMPLES / "wordcount.py:WordCount", "docs.txt", "--set", "buckets=3")
    digests = {shell.run(*asked, *how, "--run", f"run{i}")["digest"] for i, how in enumerate(ENGINES)}
    assert len(digests) == 1
    model = read_model(shell.folder / "run0").arrays
    found = dict(zip(model["words.word"], model["words.count"].tolist(), strict=True))
    assert found == Counter(re.findall(r"\w+", text.lower()))


def points(n: int) -> str:
    """Three clouds, as lines."""
    chance = random.Random(3)
    return "x,y\n" + "".join(f"{chance.gauss(i % 3 * 4, 1)},{chance.gauss(i % 2 * 3, 1)}\n" for i in range(n))


def lloyd(data: Any, centers: Any, rounds: int) -> tuple[Any, Any]:
    """k-means as textbooks have it."""
    before = None
    for _ in range(rounds):
        center = ((data[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
        centers = np.array([data[center == k].mean(axis=0) for k in range(len(centers))])
        if before is not None and (center == before).all():
            break
        before = center
    return centers, np.bincount(center)


@pytest.mark.processes
def test_kmeans_does_what_lloyd_does_on_every_engine(shell: Shell) -> None:
    (shell.folder / "points.csv").write_text(points(20_000))
    asked = ("run", EXAMPLES / "kmeans.py:KMeans", "points.csv", "--set", "k=3", "--seed", 4)
    digests = {shell.run(*asked, *how, "--run", f"run{i}")["digest"] for i, how in enumerate(ENGINES)}
    assert len(digests) == 1
    model = read_model(shell.folder / "run0")
    data = np.loadtxt("points.csv", delimiter=",", skiprows=1)
    lots = uniforms(key_of(4, "points", "lots", 0), 2 + np.arange(len(data)))  # by line; line 1 is the header
    start = data[np.argsort(lots, kind="stable")[:3]]
    centers, sizes = lloyd(data, start, model.about["rounds"])
    np.testing.assert_allclose(model.arrays["centers.centers"], centers, rtol=1e-9)
    assert model.arrays["centers.sizes"].tolist() == sizes.tolist()


def test_kmeans_names_the_line_that_is_no_point(shell: Shell) -> None:
    (shell.folder / "points.csv").write_text("x,y\n1,2\n3;4\n")
    asked = ("run", EXAMPLES / "kmeans.py:KMeans", "points.csv", "--engine", "inline")
    refuses(shell(*asked), 3, "points.csv, line 3: not numbers: '3;4'")
    (shell.folder / "points.csv").write_text("1,2\n3,4,5\n")
    refuses(shell(*asked), 3, "points.csv, line 2: 3 numbers instead of 2")
    (shell.folder / "points.csv").write_text("1,2\n3,4\n")
    refuses(shell(*asked), 3, "2 points for 8 centers", "smaller k")
    refuses(shell(*asked, "--set", "k=0"), 2, "--set k=5")


def test_docstrings_are_read_and_never_imported(shell: Shell) -> None:
    docstrings = example("docstrings")
    module = shell.folder / "module.py"
    module.write_text('"""A module of some five words."""\nraise SystemExit\ndef f():\n    """Too short."""\n')
    (shell.folder / "torn.py").write_text("def f(:\n")
    assert docstrings.docstrings(module) == ["A module of some five words."]
    assert docstrings.docstrings(shell.folder / "torn.py") == []
