"""The contract of a model on real engines: whoever works, whoever is killed, the same bytes."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

import regrow
from models.pagerank.graphs import edges, lines
from regrow.errors import UsageError
from shell import Shell

OPTIONS = ("--partitions", 4, "--weight", 3, "--tolerance", 1e-9, "--relative", "none")


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> regrow.PageRank:
    """The model that all the others must be equal to."""
    folder = tmp_path_factory.mktemp("quiet")
    (folder / "edges.tsv").write_text(lines(edges(5_000, 30_000)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        return regrow.PageRank(tolerance=1e-9, relative=None, engine="inline").fit(
            folder / "edges.tsv", weight="3", partitions=4, run=folder / "run"
        )


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "edges.tsv").write_text(lines(edges(5_000, 30_000)))
    return Shell(tmp_path, capsys)


@pytest.mark.processes
@pytest.mark.parametrize(
    "how",
    [
        ("--workers", 1, "--verify", "off"),
        ("--workers", 2, "--durable-every", 0.1),
    ],
    ids=lambda how: " ".join(map(str, how)),
)
def test_the_same_digest_whoever_works(shell: Shell, quiet: regrow.PageRank, how: tuple[object, ...]) -> None:
    found = shell.run("pagerank", "train", "edges.tsv", *OPTIONS, *how, "--run", "run")
    assert found["digest"] == quiet.digest_
    assert "worker lost" not in shell.story("run")


@pytest.mark.processes
def test_the_same_digest_while_workers_are_killed(shell: Shell, quiet: regrow.PageRank) -> None:
    assert shell.under_fire("pagerank", "train", "edges.tsv", *OPTIONS, "--workers", 3)["digest"] == quiet.digest_


@pytest.mark.processes
def test_the_same_digest_after_the_coordinator_was_killed(shell: Shell, quiet: regrow.PageRank) -> None:
    process = shell.start(
        "pagerank", "train", "edges.tsv", *OPTIONS, "--workers", 1, "--verify", "off", "--run", "run", REGROW_CRASH="record-written:20"
    )
    _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err
    assert shell.run("status", "run")["state"] == "resumable"
    assert shell.run("resume", "run", "--workers", 2)["digest"] == quiet.digest_
    assert "going on" in shell.story("run")


@pytest.mark.processes
def test_components_are_the_same_whoever_is_killed(tmp_path: Path) -> None:
    from regrow.launch import launch
    from regrow.models.pagerank.specs import components_spec
    from regrow.spec import How

    chance = np.random.default_rng(1)
    chain = np.arange(1_000).reshape(-1, 10)  # a hundred chains whose nodes lie in all ranges
    links = np.stack([chain[:, :-1], chain[:, 1:]], axis=2).reshape(-1, 2)
    shuffled = chance.permutation(1_000)[links]
    (tmp_path / "edges.txt").write_text("".join(f"{a} {b}\n" for a, b in shuffled))
    spec = components_spec([str(tmp_path / "edges.txt")], partitions=3)
    digests = {
        launch(spec, how, tmp_path / f"run-{number}").digest
        for number, how in enumerate([How("inline"), How("local", 3, preempt=0.1), How("local", 1)])
    }
    assert len(digests) == 1


# What Python users hold


def test_a_matrix_arrays_and_a_file_make_the_same_ranks(tmp_path: Path) -> None:
    import scipy.sparse

    of = edges()
    source, target = np.array([a for a, _, _ in of]), np.array([b for _, b, _ in of])
    (tmp_path / "edges.txt").write_text("".join(f"{a} {b}\n" for a, b in zip(source, target, strict=True)))
    nodes = 1 + int(max(source.max(), target.max()))
    from_file = regrow.PageRank(engine="inline").fit(tmp_path / "edges.txt")
    from_arrays = regrow.PageRank(engine="inline").fit(source, target)
    assert from_arrays.digest_ == from_file.digest_
    matrix = scipy.sparse.coo_matrix((np.ones(len(source)), (source, target)), shape=(nodes, nodes)).tocsr()
    from_matrix = regrow.PageRank(engine="inline", seeds={int(source[0]): 1}, relative=None).fit(matrix)
    assert from_matrix.ids_.tolist() == list(range(nodes))
    seeded = regrow.PageRank(engine="inline", seeds={int(source[0]): 1}, relative=None).fit(source, target)
    assert from_matrix.ranks_[seeded.ids_] == pytest.approx(seeded.ranks_, abs=1e-14)
    assert seeded.top(1) == [(str(source[0]), pytest.approx(seeded.ranks_.max()))]
    ids, labels = regrow.connected_components(matrix, engine="inline")
    assert ids.tolist() == list(range(nodes))
    assert scipy.sparse.csgraph.connected_components(matrix)[0] == len(np.unique(labels))


def test_what_is_no_graph_is_refused() -> None:
    import scipy.sparse

    with pytest.raises(ValueError, match="as many rows as columns"):
        regrow.PageRank().fit(scipy.sparse.eye(3, 4))
    with pytest.raises(ValueError, match="files, a"):
        regrow.PageRank().fit(np.ones(3))
    with pytest.raises(UsageError, match="call fit"):
        regrow.PageRank().top()
    with pytest.raises(UsageError, match="options are those"):
        regrow.PageRank().fit(np.ones(3, int), np.ones(3, int), colour="red")


def test_what_a_matrix_or_arrays_have_wrong_is_said_of_them_and_not_of_a_file() -> None:
    import scipy.sparse

    for value, told in ((-1.0, "row 0, column 1 of the matrix: the weight is -1"), (np.nan, "row 0, column 1 .* nan"), (0.0, "are 0")):
        with pytest.raises(ValueError, match=told):
            regrow.PageRank().fit(scipy.sparse.csr_matrix((np.full(1, value), ([0], [1])), shape=(2, 2)))
    with pytest.raises(ValueError, match=r"source\[1\] is 1.5"):
        regrow.PageRank().fit([0, 1.5], [1, 0])
    with pytest.raises(ValueError, match='seed "7" is no node'):
        regrow.PageRank(engine="inline", seeds={7: 1}).fit([0, 1], [1, 0])
