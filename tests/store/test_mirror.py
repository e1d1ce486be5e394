"""A run with a copy in storage: another machine goes on from it, storage may be away, and of two who take over only one goes on."""

from __future__ import annotations

import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("s3fs", reason="storage is an extra: pip install 'regrow[s3]'")
pytest.importorskip("moto", reason="the server for tests is moto")

import fsspec
from fsspec.implementations.arrow import ArrowFSWrapper
from pyarrow.fs import LocalFileSystem

from conftest import Gate, Runs, reference_digest, wait_until
from regrow.engines.base import Engine
from regrow.errors import DataError, Paused, UsageError
from regrow.mirror import Mirror, fetch, newest
from regrow.running import resume
from regrow.spec import How
from regrow.store import bucket
from regrow.store.bucket import Bucket
from regrow.store.inputs import copied_here
from storage import S3

pytestmark = pytest.mark.filterwarnings("ignore")
LONG = {"rounds": 40, "seconds": 0.003, "kept": 9}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    """A server for all tests here."""
    before = dict(os.environ)
    server = S3()
    os.environ.update(server.environment)
    yield server
    server.close()
    os.environ.clear()
    os.environ.update(before)


class HadoopLike(ArrowFSWrapper):
    """As fsspec reaches Hadoop, by Arrow: nothing can be created under a condition. It is a folder of this machine."""

    protocol = "hadooplike"
    root_marker = "/"

    def __init__(self, **options: object) -> None:
        super().__init__(LocalFileSystem(), **options)


fsspec.register_implementation("hadooplike", HadoopLike, clobber=True)


@pytest.fixture
def hadoop_like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place in such storage."""
    monkeypatch.setattr(bucket, "SETTLE_SECONDS", 0.5)
    return f"hadooplike://{tmp_path}/storage"


@pytest.fixture(params=["file", "memory", "s3", "hadoop_like"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place in storage of each kind."""
    name = uuid.uuid4().hex
    if request.param == "hadoop_like":
        return str(request.getfixturevalue("hadoop_like"))
    if request.param == "s3":
        request.getfixturevalue("s3").make(name)
        return f"s3://{name}/runs/x"
    return f"file://{tmp_path}/storage" if request.param == "file" else f"memory://{name}/x"


def test_of_those_who_create_the_same_name_one_succeeds(place: str) -> None:
    made = []

    def create(number: int) -> None:
        if Bucket(place).create("epochs/1", f"{number}".encode()):
            made.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert Bucket(place).read("epochs/1") == f"{made[0]}".encode()


def test_things_come_back_as_they_were(place: str, tmp_path: Path) -> None:
    bucket, path = Bucket(place), tmp_path / "thing"
    path.write_bytes(os.urandom(100_000))
    bucket.put("files/1/a.b", path)
    bucket.get("files/1/a.b", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == path.read_bytes()
    assert bucket.names("files/1") == ["a.b"]
    bucket.delete(["files/1/a.b", "files/1/nothing"])
    assert bucket.names("files/1") == []
    with pytest.raises(FileNotFoundError):
        bucket.read("files/1/a.b")


def test_another_machine_goes_on_from_the_newest_cut(runs: Runs, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    how = How("inline", durable_every=0.05, durable=place)
    seen: list[int] = []

    class Gone(Exception):
        """The machine is gone."""

    def publish_and_go(mirror: Mirror, **more: bool) -> None:
        publish(mirror, **more)
        seen.append(1)
        if len(seen) == 3:
            raise Gone

    publish = Mirror.publish
    with monkeypatch.context() as patch:
        patch.setattr(Mirror, "publish", publish_and_go)
        patch.setattr(Engine, "_in_background", lambda _, what: what())
        with pytest.raises(Gone):
            runs.begin("Ring", how=how, **LONG)
    assert not (runs.folder / "run" / "done").exists()
    fetch(place, runs.folder / "elsewhere")
    shutil.rmtree(runs.folder / "run")
    summary = resume(runs.folder / "elsewhere")
    assert summary["digest"] == reference_digest("Ring", **LONG)
    assert [line["artifacts"] > 0 and line["cuts"] for line in runs.told("going on", "elsewhere")]
    fetch(place, runs.folder / "end")
    assert resume(runs.folder / "end")["digest"] == summary["digest"]
    assert not any(name.startswith("committed/") for name in newest(Bucket(place)) or {})


def test_a_pause_is_copied_as_well(runs: Runs, gate: Gate, s3: S3) -> None:
    s3.make(name := uuid.uuid4().hex)
    how = {"engine": "local", "durable": f"s3://{name}/x", "durable_every": 5}
    coordinator = runs.coordinator("Ring", how=how, **LONG, **gate.shut)
    coordinator.await_phases(20, runs.folder / "run")
    coordinator.kill(15)
    assert coordinator.code() == 75
    gate.open()
    fetch(f"s3://{name}/x", runs.folder / "elsewhere")
    assert resume(runs.folder / "elsewhere", engine="inline")["digest"] == reference_digest("Ring", **LONG)
    assert runs.told("going on", "elsewhere")[0]["artifacts"] > 0


def test_storage_that_is_away_is_waited_for_and_the_story_says_so(runs: Runs, gate: Gate, s3: S3) -> None:
    s3.make(name := uuid.uuid4().hex)
    run = runs.folder / "run"

    def go_away_and_come_back() -> None:
        wait_until(lambda: (run / "records.jsonl").exists() and (run / "records.jsonl").read_bytes().count(b"\n") > 5)
        s3.stop()
        wait_until(lambda: runs.told("storage away"))
        time.sleep(1)
        s3.start()
        gate.open()

    thread = threading.Thread(target=go_away_and_come_back)
    thread.start()
    summary = runs.begin("Ring", how=How("inline", durable_every=0.1, durable=f"s3://{name}/x"), **LONG, **gate.shut)
    thread.join()
    assert summary["digest"] == reference_digest("Ring", **LONG)
    assert runs.told("storage back")
    fetch(f"s3://{name}/x", runs.folder / "copy")
    assert (runs.folder / "copy" / "done").exists()


def test_who_was_taken_for_lost_publishes_nothing_more(runs: Runs, place: str) -> None:
    runs.begin("Ring", rounds=2)
    first = Mirror(runs.folder / "run", place)
    first.publish()
    second = Mirror(runs.folder / "run", place)
    with pytest.raises(Paused, match="another coordinator"):
        first.publish()
    second.publish()


def test_a_place_that_holds_a_run_is_not_written_over(runs: Runs, place: str) -> None:
    how = How("inline", durable=place)
    runs.begin("Ring", how=how, rounds=2)
    with pytest.raises(UsageError, match="holds a run already"):
        runs.begin("Ring", run="again", how=how, rounds=2)
    with pytest.raises(UsageError, match="there already"):
        fetch(place, runs.folder / "run")


def test_a_place_where_other_things_lie_is_not_mixed_with_them(runs: Runs, place: str, tmp_path: Path) -> None:
    (tmp_path / "thing").write_text("of somebody else\n")
    Bucket(place).put("thing", tmp_path / "thing")
    with pytest.raises(UsageError, match="holds other things: thing"):
        runs.begin("Ring", how=How("inline", durable=place), rounds=2)


def test_storage_that_refuses_says_what_to_do(runs: Runs, s3: S3, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="refuses") as caught:
        runs.begin("Ring", how=How("inline", durable="s3://no-such-bucket/x"), rounds=2)
    assert "bucket exists" in caught.value.advice
    with pytest.raises(UsageError, match="file:///proc/x refuses"):  # to be written; nothing has begun yet
        runs.begin("Ring", how=How("inline", durable="file:///proc/x"), rounds=2)
    assert not (runs.folder / "run").exists()
    with pytest.raises(UsageError, match="no storage called nowhere"):
        Bucket("nowhere://x")
    with pytest.raises(DataError, match="holds no run"):
        fetch(f"file://{tmp_path}/nothing", runs.folder / "x")
    with pytest.raises(UsageError, match="--durable x"):
        How("inline", durable="x")


def test_input_is_copied_from_storage(s3: S3, tmp_path: Path) -> None:
    files = s3.make(name := uuid.uuid4().hex)
    for part in ("b", "a"):
        files.pipe_file(f"{name}/docs/{part}.txt", f"line of {part}\n".encode())
    names = copied_here(f"s3://{name}/docs/*.txt", tmp_path)
    assert [Path(one).name for one in names] == ["a.txt", "b.txt"]
    assert Path(names[0]).read_text() == "line of a\n"
    with pytest.raises(DataError, match="nothing of that name"):
        copied_here(f"s3://{name}/docs/*.csv", tmp_path)
