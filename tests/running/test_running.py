"""Directories of runs, who may write into them, and what happens when the world around them changes."""

from __future__ import annotations

import errno
import gc
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from conftest import LINES, PROGRAMS, Runs, reference_digest
from regrow import prepared, running, story
from regrow.data import TextOptions, describe
from regrow.errors import DataError, Paused, ProgramError, UsageError
from regrow.job import ProgramName
from regrow.models.lda.program import LDA
from regrow.models.lda.specs import topics_spec
from regrow.running import begin, resume
from regrow.spec import How, Spec
from regrow.store import directory as directory_module
from regrow.store.dataset import Dataset, DatasetWriter
from regrow.store.lock import Lock
from regrow.store.model import read_model
from regrow.summary import status_of

RING: dict[str, Any] = {"rounds": 12}


@pytest.fixture(scope="module")
def quiet() -> str:
    return reference_digest("Ring", **RING)


class Stop(Exception):
    """Something that stops a run at a chosen place, as a kill would."""


def stop_at(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, nth: int = 1, error: BaseException | None = None) -> None:
    """Let the nth call of a function raise."""
    whole, calls = getattr(place, name), [0]

    def stops(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == nth:
            raise error or Stop()
        return whole(*args, **kwargs)

    monkeypatch.setattr(place, name, stops)


# Directories


def test_an_existing_run_has_three_ways_on(runs: Runs, quiet: str) -> None:
    runs.begin("Ring", **RING)
    with pytest.raises(UsageError) as caught:
        runs.begin("Ring", **RING)
    assert all(words in str(caught.value) for words in ("regrow resume", "--run", "--overwrite"))
    summary = begin(runs.spec("Ring", rounds=3), runs.folder / "run", How("inline"), overwrite=True)
    assert summary["rounds"] == 3
    assert runs.resume()["digest"] == summary["digest"]


def test_the_model_of_an_overwritten_run_stays_until_there_is_a_new_one(runs: Runs) -> None:
    old, before = runs.begin("Ring", rounds=2)["digest"], runs.folder / "run" / "model.before"
    for _ in range(2):  # the second one takes the place of a run without a model
        with pytest.raises(ProgramError) as caught:
            begin(runs.spec("Faulty"), runs.folder / "run", How("inline"), overwrite=True)
        assert f"stays until there is a new one, in {before}" in caught.value.advice
        assert read_model(before).digest == old
    with pytest.raises(ProgramError, match="seven") as caught:
        runs.resume()
    assert str(before) in caught.value.advice
    with pytest.raises(DataError, match="is not finished") as missing:
        read_model(runs.folder / "run")
    assert str(before) in missing.value.advice
    for name in ("run.json", "how.json"):  # as if it had been stopped while it took the place
        (runs.folder / "run" / name).unlink()
    for path in (runs.folder / "run").iterdir():
        shutil.rmtree(path) if path.is_dir() and path != before else path.name == "lock" or path == before or path.unlink()
    with pytest.raises(DataError, match="is no run") as gone:
        runs.resume()
    assert str(before) in gone.value.advice
    with pytest.raises(UsageError, match="that was to be overwritten"):
        runs.begin("Ring", rounds=2)
    assert read_model(before).digest == old
    new = begin(runs.spec("Ring", rounds=3), runs.folder / "run", How("inline"), overwrite=True)["digest"]
    assert read_model(runs.folder / "run" / "model").digest == new != old
    assert not before.exists()


def test_a_folder_that_is_no_run_is_left_alone(runs: Runs) -> None:
    folder = runs.folder / "run"
    folder.mkdir()
    (folder / "thesis.tex").write_text("ten years")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="is no run"):
            begin(runs.spec("Ring"), folder, How("inline"), overwrite=overwrite)
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]
    with pytest.raises(UsageError, match="cannot be made"):
        begin(runs.spec("Ring"), folder / "thesis.tex", How("inline"), overwrite=True)
    with pytest.raises(DataError, match="is no run"):
        resume(folder)


def test_a_running_run_is_neither_resumed_nor_overwritten(runs: Runs) -> None:
    with pytest.raises(ProgramError):
        runs.begin("Faulty")
    lock = Lock(runs.folder / "run")
    for way in (runs.resume, lambda: begin(runs.spec("Ring"), runs.folder / "run", How("inline"), overwrite=True)):
        with pytest.raises(UsageError, match="running already"):
            way()
    lock.release()
    assert (runs.folder / "run" / "identity.json").exists()


def test_a_run_that_was_stopped_before_it_began_leaves_its_name_free(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, Spec, "write")
        with pytest.raises(Stop):
            runs.begin("Ring", **RING)
    assert runs.begin("Ring", **RING)["rounds"] == 12


def test_a_moved_run_goes_on(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_in_round_5(runs, monkeypatch)
    shutil.move(runs.folder / "run", runs.folder / "elsewhere")
    monkeypatch.chdir(runs.folder)
    assert resume(Path("elsewhere"))["digest"] == quiet
    assert read_model(Path("elsewhere")).digest == quiet


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "cannot be read"), ("[]", "cannot be read"), ('{"format": 99}', "format 99"), ('{"format": 1}', "cannot be read")],
)
def test_a_run_of_another_format_is_refused(runs: Runs, text: str, words: str) -> None:
    with pytest.raises(ProgramError):
        runs.begin("Faulty")
    (runs.folder / "run" / "run.json").write_text(text)
    with pytest.raises(DataError, match=words):
        runs.resume()


# Stopped anywhere


def stopped_in_round_5(runs: Runs, monkeypatch: pytest.MonkeyPatch, **how: Any) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, directory_module.Directory, "record", nth=12)
        with pytest.raises(Stop):
            runs.begin("Ring", how=How("inline", **how), **RING)


@pytest.mark.parametrize("nth", [1, 2, 9, 10, 30])
def test_stopped_at_any_commit(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, directory_module.Directory, "commit", nth)
        with pytest.raises(Stop):
            runs.begin("Ring", **RING)
    assert runs.resume()["digest"] == quiet


@pytest.mark.parametrize("place", ["before the model", "after the model", "while clearing", "at the last line"])
def test_stopped_at_the_end(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    with monkeypatch.context() as patch:
        if place == "before the model":
            stop_at(patch, running, "publish_model")
        elif place == "at the last line":
            patch.setattr(running.Path, "write_text", raising_for("done", running.Path.write_text))
        else:
            stop_at(
                patch,
                directory_module.shutil if place == "while clearing" else directory_module.Directory,
                *("rmtree", 5) if place == "while clearing" else ("clear", 1),
            )
        with pytest.raises(Stop):
            runs.begin("Ring", **RING)
    attempts = status_of(runs.folder / "run")["attempts"]
    assert status_of(runs.folder / "run")["state"] != "finished"
    summary = runs.resume()
    assert summary["digest"] == quiet
    assert status_of(runs.folder / "run")["state"] == "finished"
    assert summary["attempts"] == attempts  # nothing was done twice
    assert not runs.artifacts()


def raising_for(name: str, whole: Any) -> Any:
    def stops(path: Path, *args: Any) -> Any:
        if path.name == name:
            raise Stop
        return whole(path, *args)

    return stops


@pytest.mark.parametrize("call", [1, 2, 3])
def test_stopped_while_preparing(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, running.os if call == 3 else running.DatasetWriter, {1: "add", 2: "publish", 3: "rename"}[call])
        with pytest.raises(Stop):
            runs.begin("Ring", **RING)
    if call > 2:
        runs.text.unlink()  # what was read is not read again
    assert runs.resume()["digest"] == quiet


def test_another_input_is_another_run(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, running.DatasetWriter, "publish")
        with pytest.raises(Stop):
            runs.begin("Ring", **RING)
    runs.text.write_text(LINES + "one more\n")
    with pytest.raises(DataError, match=r"input\.txt: changed since the run began"):
        runs.resume()


def test_other_stop_words_are_refused_while_words_are_still_cut(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = runs.folder / "stop.txt"
    stop.write_text("tail that\n")
    options = TextOptions(stop_words=str(stop))
    spec = topics_spec([str(runs.text)], LDA(topics=3, rounds=2), options=options)
    with monkeypatch.context() as patch:
        stop_at(patch, running.DatasetWriter, "publish", nth=2)
        with pytest.raises(Stop):
            begin(spec, runs.folder / "run", How("inline"))
    stop.write_text("tail that grows\n")
    with pytest.raises(DataError, match=r"stop\.txt: other stop words than when the run began"):
        runs.resume()
    stop.write_text("that tail\n")  # the same words
    assert runs.resume()["rounds"] == 2


def test_input_that_has_been_read_may_change_and_the_story_says_so(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_in_round_5(runs, monkeypatch)
    runs.text.write_text(LINES + "one more\n")
    assert runs.resume()["digest"] == quiet
    assert runs.told("input changed")[0]["files"] == [str(runs.text)]


def test_damaged_prepared_data_is_made_again(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = str(runs.folder / "cache")
    stopped_in_round_5(runs, monkeypatch, cache=cache)
    [part] = (runs.folder / "run" / "data").glob("text.*")
    data = part.read_bytes()
    part.write_bytes(data[:-5] + bytes([data[-5] ^ 1]) + data[-4:])  # the entry of the cache is the same file
    assert runs.resume()["digest"] == quiet
    assert runs.told("prepared data is damaged: made again from the input")
    assert runs.begin("Ring", run="other", how=How("inline", cache=cache), **RING)["digest"] == quiet
    assert runs.told("prepared data reused", "other")


# Identity


def test_changed_code_is_refused_with_what_differs_unless_accepted(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_in_round_5(runs, monkeypatch, durable_every=0.0001)
    copy = runs.folder / "run" / "program" / "programs.py"
    copy.write_text(copy.read_text().replace("0.5 * x", "0.75 * x"))
    with pytest.raises(DataError) as caught:
        runs.resume()
    assert "sources.programs.py: was " in str(caught.value)
    assert "--accept-changes" in str(caught.value)
    summary = runs.resume(accept_changes=True)
    about = json.loads((runs.folder / "run" / "model" / "model.json").read_text())
    assert any("sources.programs.py" in line for line in about["accepted_changes"])
    assert summary["rounds"] == 12
    assert summary["digest"] != reference_digest("Ring", **RING)


def prepared_by_an_earlier_build(runs: Runs, monkeypatch: pytest.MonkeyPatch, **how: Any) -> None:
    """Begin a run with the code of an earlier build, whose prepared data is laid out otherwise: its arrays have other names."""
    with monkeypatch.context() as patch:
        patch.setattr(prepared, "code_digest", lambda: "an earlier one")
        stopped_in_round_5(runs, patch, durable_every=0.0001, **how)
    data = runs.folder / "run" / "data"
    dataset, writer = Dataset.open(data), DatasetWriter(data)
    for index in range(dataset.layouts["text"]):
        writer.add("text", index, {f"{name}_then": value for name, value in dataset.part("text", index).items()})
    writer.publish(dataset.facts)


def test_data_that_other_code_prepared_is_refused_or_prepared_again(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared_by_an_earlier_build(runs, monkeypatch)
    with pytest.raises(DataError, match=r"preparing\.code: was an earlier one, is ") as caught:
        runs.resume()
    assert all(words in caught.value.advice for words in ("--accept-changes", "begin anew"))
    assert runs.resume(accept_changes=True)["digest"] == quiet
    assert runs.told("prepared data made again")[0]["changes"][0].startswith("preparing.code: was an earlier one")


def test_a_run_that_does_not_say_what_prepared_its_data_is_one_of_other_code(
    runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared_by_an_earlier_build(runs, monkeypatch)
    (runs.folder / "run" / "prepared.json").unlink()
    with pytest.raises(DataError, match=r"preparing\.code: was nothing, is "):
        runs.resume()
    assert runs.resume(accept_changes=True)["digest"] == quiet


def test_what_other_code_had_half_prepared_is_not_gone_on_from(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(prepared, "code_digest", lambda: "an earlier one")
        stop_at(patch, running.os, "rename")
        with pytest.raises(Stop):
            runs.begin("Ring", **RING)
    with pytest.raises(DataError, match=r"preparing\.code: was an earlier one, is "):
        runs.resume()
    assert runs.resume(accept_changes=True)["digest"] == quiet


def test_the_cache_hands_nothing_to_other_code(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = str(runs.folder / "cache")
    prepared_by_an_earlier_build(runs, monkeypatch, cache=cache)
    assert runs.begin("Ring", run="other", how=How("inline", cache=cache), **RING)["digest"] == quiet
    assert not runs.told("prepared data reused", "other")


def test_other_partitions_begin_anew(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_in_round_5(runs, monkeypatch, durable_every=0.0001)
    path = runs.folder / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"parameters": {**RING, "partitions": 4}}))
    with pytest.raises(DataError, match=r"partitions\.node: was 3, is 4"):
        runs.resume()
    assert runs.resume(accept_changes=True)["digest"] == reference_digest("Ring", partitions=4, **RING)


def test_how_may_change(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_in_round_5(runs, monkeypatch)
    assert runs.resume(workers=7, durable_every=0.0)["digest"] == quiet


# The disk


@pytest.mark.parametrize("call", ["link", "writev", "write_text", "fsync"])
def test_a_full_disk_pauses_the_run_and_leaves_nothing_half(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        if call == "write_text":
            patch.setattr(directory_module.Directory, "record", raising(full))
        elif call == "fsync":
            stop_at(patch, directory_module.os, "fsync", 10, full)  # those before are of a run that begins
        else:
            stop_at(patch, directory_module.os, call, 10 if call == "link" else 14, full)
        with pytest.raises(Paused, match="No space left") as caught:
            runs.begin("Ring", **RING)
    assert caught.value.exit_code == 75
    assert "make room" in caught.value.advice or "resume" in caught.value.advice
    assert not (runs.folder / "run" / "model").exists()
    assert runs.resume()["digest"] == quiet


def test_a_disk_that_is_full_when_a_run_begins_leaves_its_name_free(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, directory_module.os, "fsync", 1, OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(Paused, match="No space left") as caught:
            runs.begin("Ring", **RING)
    assert "begin again" in caught.value.advice
    assert runs.begin("Ring", **RING)["digest"] == quiet


def raising(error: BaseException) -> Any:
    def raises(*_: Any) -> None:
        raise error

    return raises


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_disk_that_is_really_full(runs: Runs) -> None:
    disk = runs.folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(Paused, match="No space left"):
            runs.begin("Wide", run="disk/run", rounds=4, kilobytes=128)
        shutil.rmtree(disk / "run" / "sessions")
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert runs.resume("disk/run")["digest"] == runs.begin("Wide", rounds=4, kilobytes=128)["digest"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_story_that_cannot_be_written_is_no_reason_to_stop(runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story.os, "write", raising(OSError(errno.ENOSPC, "No space left on device")))
    assert runs.begin("Ring", **RING)["digest"] == quiet


@pytest.mark.parametrize("every", [0.0, 0.02])
def test_the_disk_holds_at_most_four_times_what_is_alive(runs: Runs, monkeypatch: pytest.MonkeyPatch, every: float) -> None:
    most = [0]
    whole = directory_module.Directory.record

    def measured(self: directory_module.Directory, *args: Any) -> None:
        most[0] = max(most[0], self.bytes_held())
        whole(self, *args)

    monkeypatch.setattr(directory_module.Directory, "record", measured)
    runs.begin("Wide", how=How("inline", durable_every=every), rounds=300, kilobytes=8)
    alive = 2 * 4 * 2 * 8 * 1024  # of two rounds, of which one is read and one is written: four partitions' states and messages
    assert most[0] <= 4 * alive


# Programs as they come


def program_file(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "mine.py"
    file.write_text(text)
    return file


SIBLING = """
from dataclasses import dataclass
import numpy as np
from regrow import Program, Role, Roles
import helper_of_mine

@dataclass(frozen=True)
class Mine(Program):
    def roles(self, data):
        return Roles(work=Role(2))
    def work(self, part):
        part.result(n=np.int64(helper_of_mine.seven() + part.index))
"""


@pytest.mark.processes
def test_a_program_with_modules_beside_it_among_files_with_misleading_names(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = runs.folder / "mine"
    file = program_file(folder, SIBLING)
    (folder / "helper_of_mine.py").write_text("def seven():\n    return 7\n")
    for name in ("numpy.py", "random.py", "json.py"):
        (folder / name).write_text("raise RuntimeError('the wrong one')\n")
    monkeypatch.chdir(folder)
    summary = begin(runs.spec("Mine", file=file), runs.folder / "run", How("local", 1, verify=False))
    assert read_model(runs.folder / "run").arrays["work.n"].tolist() == [7, 8]
    assert sorted(path.name for path in (runs.folder / "run" / "program").glob("*.py")) == ["helper_of_mine.py", "mine.py", "numpy.py"]
    assert summary["rounds"] == 1


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (("class Mine", "class Other"), UsageError, "no program called Mine"),
        (("import helper_of_mine", "import no_such_thing"), ProgramError, "No module named 'no_such_thing'"),
        (("return Roles(work=Role(2))", "return 1 / 0"), ProgramError, "ZeroDivisionError"),
        (("return Roles(work=Role(2))", "return {}"), ProgramError, "returns no Roles"),
        (("return Roles(work=Role(2))", "return Roles(play=Role(2))"), ProgramError, 'no method'),
        (("import helper_of_mine", "if"), ProgramError, "SyntaxError"),
        (("import helper_of_mine", "from regrow.running import begin; begin(None, None, None)"), ProgramError, "__main__"),
        (("    def work", "    def model(self, results):\n        return {'a': object()}\n    def work"), ProgramError, "has type object"),
    ],
)  # fmt: skip
def test_a_program_that_cannot_be_says_why(runs: Runs, change: tuple[str, str], error: type[Exception], words: str) -> None:
    file = program_file(runs.folder / "mine", SIBLING.replace("helper_of_mine.seven()", "7").replace(*change))
    (runs.folder / "mine" / "helper_of_mine.py").write_text("")
    with pytest.raises(error, match=words):
        begin(runs.spec("Mine", file=file), runs.folder / "run", How("inline"))
    assert status_of(runs.folder / "run")["state"] == "failed"


def test_a_run_in_a_thread(runs: Runs, quiet: str) -> None:
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(runs.begin("Ring", **RING)["digest"]))
    thread.start()
    thread.join()
    assert found == [quiet]


@pytest.mark.processes
def test_a_script_without_a_main_guard_is_told_to_have_one(runs: Runs) -> None:
    script = runs.folder / "script.py"
    text = SIBLING.replace("import helper_of_mine", "").replace("helper_of_mine.seven()", "7")
    script.write_text(f"{text}\nimport regrow\nregrow.run(Mine(), {str(runs.text)!r}, workers=1, run={str(runs.folder / 'run')!r})\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode != 0
    assert 'if __name__ == "__main__":' in done.stderr


@pytest.mark.processes
def test_a_run_leaves_no_descriptor_and_no_process_behind(runs: Runs) -> None:
    def traces() -> tuple[set[str], int]:
        gc.collect()
        links = {os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{n}")}
        return {link for link in links if "/pytest-of-" in link or link.startswith(("socket:", "anon_inode:"))}, children()

    runs.begin("Tiny", run="first", rounds=2, partitions=2)
    before = traces()
    runs.begin("Tiny", run="one", how=How("local", 2), rounds=3, partitions=3)
    with pytest.raises(ProgramError):
        runs.begin("ColdFeet", run="two", how=How("local", 2))
    with pytest.raises(ProgramError):
        runs.begin("Faulty", run="three", how=How("local", 2, verify=False))
    assert traces() == before, "mapped files, sockets and processes end with a run"


def children() -> int:
    """The children of this process, zombies included."""
    return len(Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split())


def test_the_options_of_a_text_are_all_that_a_spec_needs(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text(LINES)
    spec = Spec("run", ProgramName(str(PROGRAMS), "Ring"), RING, 1, describe([str(text)]), TextOptions(), "text").settled(tmp_path)
    spec.write(tmp_path)
    assert Spec.read(tmp_path) == spec
