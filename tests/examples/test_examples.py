"""The examples do what they say, and keep the promise."""

from __future__ import annotations

import importlib.util
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from regrow import testing
from regrow.job import ProgramName
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


# Each by itself, as a reader runs it


@pytest.mark.processes
@pytest.mark.parametrize("name", ["wordcount", "kmeans", "pagerank", "matching", "sweep", "boosting", "federated"])
def test_an_example_runs_by_itself_and_makes_the_same_bytes_under_fire(name: str, tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, str(EXAMPLES / f"{name}.py")], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "the same to the last byte" in ended.stdout
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"


def load(name: str) -> Any:
    """The module of an example, as runs load it."""
    return ProgramName(str(EXAMPLES / f"{name}.py"), "").module()


def test_pagerank_is_that_of_a_plain_power_iteration() -> None:
    chance = np.random.default_rng(5)
    n = 61
    edges = np.column_stack([chance.integers(0, n - 9, 300), chance.integers(0, n, 300)])  # the last pages are dead ends
    edges = np.vstack([edges, [[0, n - 1]]])
    ranks = [
        testing.run_inline(
            load("pagerank").PageRank(rounds=150, partitions=partitions), lines=[f"{s} {t}" for s, t in edges], parts=3
        ).model["rank"]
        for partitions in (1, 4, 7)
    ]
    links = np.zeros((n, n))
    np.add.at(links, (edges[:, 1], edges[:, 0]), 1)
    degree = links.sum(axis=0)
    links = np.where(degree > 0, links / np.maximum(degree, 1), 1 / n)
    rank = np.full(n, 1 / n)
    for _ in range(300):
        rank = 0.15 / n + 0.85 * (links @ rank)
    for found in ranks:
        np.testing.assert_allclose(found, rank, rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_no_student_and_school_would_rather_have_each_other(seed: int) -> None:
    chance = random.Random(seed)
    schools, seats = list("abcd"), 7
    wishes = [chance.sample(schools, chance.randint(1, 4)) for _ in range(40)]
    grades = [chance.randint(0, 9) for _ in wishes]  # many ties: those who stand first in the text are preferred
    lines = [f"s{who} {grade} {' '.join(wish)}" for who, (grade, wish) in enumerate(zip(grades, wishes, strict=True))]
    model = testing.run_inline(load("matching").Matching(seats=seats), lines=lines, parts=3).model
    place = dict(zip((int(name[1:]) for name in model["schools.name"]), model["schools.school"], strict=True))
    worst = {
        school: max(((-grades[who], who) for who in place if place[who] == school), default=(0, 0))
        for school in schools
        if sum(place[who] == school for who in place) == seats
    }
    for who, wish in enumerate(wishes):
        better = wish[: wish.index(place[who])] if who in place else wish
        for school in better:
            assert school in worst, f"student {who} would rather be in {school}, which has room"
            assert worst[school] < (-grades[who], who), f"{school} would rather have student {who}"


def test_a_sweep_ends_with_the_setting_that_validates_best_and_its_weights() -> None:
    chance = np.random.default_rng(2)
    x = chance.normal(size=(200, 3))
    lines = [f"{a - 2 * b + 3 * c:.6f} {a:.6f} {b:.6f} {c:.6f}" for a, b, c in x]
    model = testing.run_inline(load("sweep").Sweep(), lines=lines, parts=2).model
    lasted, loss = model["judge.lasted"], model["judge.loss"]
    assert sorted(np.bincount(lasted.astype(int))[1:].tolist()) == [1, 2, 3, 6, 12]
    best = int(model["judge.best"][0])
    assert lasted[best] == 5
    for halved in range(1, 5):
        assert loss[lasted == halved].min() >= loss[lasted > halved].min() or loss[best] < 1e-6
    np.testing.assert_allclose(model["judge.weights"], [1, -2, 3], atol=1e-2)


def test_boosted_trees_are_the_same_however_the_rows_are_cut_and_predict_what_they_say() -> None:
    chance = np.random.default_rng(3)
    x = chance.random((600, 2))
    y = np.round(np.where(x[:, 0] > 0.6, 2.0, 0.5) + x[:, 1], 5)
    lines = [f"{target:.5f} {a:.6f} {b:.6f}" for target, (a, b) in zip(y, x, strict=True)]
    program = load("boosting").Boosting(trees=6, levels=2, bins=16)
    runs = [testing.run_inline(program, lines=lines, parts=parts) for parts in (1, 2, 5)]
    testing.assert_same(*runs)
    model = {name.removeprefix("grower."): array for name, array in runs[0].model.items()}
    x, scale = np.round(x, 6), 16 / (model["high"] - model["low"])
    bins = np.clip((x - model["low"]) * scale, 0, 15).astype(int)
    missed = np.rint(y * 65536).astype(np.int64) - int(model["mean"][0])
    for tree in range(6):
        assert int((missed * missed).sum()) == int(model["errors"][tree]), "the error that the program reports is that of its trees"
        node = np.zeros(600, int)
        for level in range(2):
            at = 2**level - 1 + node
            node = 2 * node + (bins[np.arange(600), model["feature"][tree, at]] > model["bin"][tree, at])
        missed = missed - model["value"][tree, node]
    assert (missed * missed).sum() < model["errors"][0] / 10
    assert model["feature"][0, 0] == 0, "the step is found first"


def test_federated_averaging_is_what_one_would_do_by_hand() -> None:
    chance = np.random.default_rng(4)
    tables = [np.column_stack([chance.integers(0, 2, size), chance.normal(size=(size, 2)).round(3)]) for size in (30, 12)]
    lines = [" ".join(f"{value:g}" for value in row) for row in np.vstack(tables)]
    module = load("federated")
    halves = [np.vstack(tables)[:21], np.vstack(tables)[21:]]
    model = testing.run_inline(module.Federated(rounds=3), lines=lines, parts=2).model
    weights = np.zeros(3)
    for _ in range(3):
        total, patients = np.zeros(3), 0
        for table in halves:
            own, trained = weights.copy(), table[np.arange(len(table)) % 3 != 0]
            for _ in range(2):
                for row in trained:
                    features = np.array([1, *row[1:]])
                    own += 0.05 * (row[0] - 1 / (1 + np.exp(-(features * own).sum()))) * features
            total, patients = total + own * len(trained), patients + len(trained)
        weights = total / patients
    np.testing.assert_allclose(model["center.weights"], weights, rtol=1e-9)
    assert model["judges.patients"].tolist() == [14, 14]


def test_the_example_in_torch_says_what_it_needs() -> None:
    code = "import sys; sys.modules['torch'] = None; import runpy; runpy.run_path(sys.argv[1], run_name='__main__')"
    command = [sys.executable, "-c", code, str(EXAMPLES / "torch_data_parallel.py")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "this example needs PyTorch: pip install torch\n")


def test_docstrings_can_be_looked_at() -> None:
    ended = subprocess.run([sys.executable, str(EXAMPLES / "docstrings.py")], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) > 10
