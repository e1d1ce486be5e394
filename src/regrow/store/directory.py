"""The directory of a run: where attempts become artifacts, and artifacts become cuts.

    attempts/<epoch>/<task>.<n>     what workers write; an epoch is one start of a coordinator
    committed/<task>                artifacts: linked here by the holder of the lock, create-if-absent, never changed
    cuts/<round>.json               manifests of durable cuts: names and digests of their artifacts
    records.jsonl                   one line per complete phase: its metrics, and whether it left state or results
    disputed/<task>.by <worker>     attempts that differed: the run has failed, and goes back to before them when it is resumed

What lies in committed/ is the journal: a coordinator that starts again lists it and goes on. records.jsonl spares it
work (a phase that is recorded and forgotten need not run again); a lost line costs time and never the result.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from regrow.coordinator.actions import Record
from regrow.coordinator.events import Receipt
from regrow.coordinator.ledger import Cut
from regrow.coordinator.plan import Attempt, PhaseKey, Task
from regrow.crash import point
from regrow.errors import RegrowError
from regrow.store.artifact import read_receipt
from regrow.store.container import Broken, Container, Header
from regrow.store.durable import sync, sync_all

__all__ = ["Directory"]


class Directory:
    """The artifacts of one run. One process at a time may write: the one that holds the run's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.committed = path / "committed"
        self.cuts = path / "cuts"
        self.records = path / "records.jsonl"
        self.disputed = path / "disputed"
        self.ground: tuple[Path, ...] = ()
        """Files and folders without which the artifacts are worth nothing: made durable with the first cut."""
        self.ground_folders: tuple[Path, ...] = ()
        """The folders above this one that belong to the run."""
        self._grounded = False
        self.copied_away: Callable[[bool], None] = lambda everything: None
        """Makes another copy of what a cut holds, or of everything; a cut counts only then."""
        self.epoch: Path = path / "attempts" / "none"
        self._digests: dict[Task, str] = {}
        self._headers: dict[str, tuple[int, dict[int, Header]]] = {}
        """Role -> the round whose artifacts were opened last, and their headers by partition."""

    def begin_epoch(self) -> None:
        """Start afresh with nobody's unfinished attempts. Workers of earlier coordinators write into folders that are gone."""
        shutil.rmtree(self.path / "attempts", ignore_errors=True)
        point("epoch-cleared")
        self.epoch = self.path / "attempts" / uuid.uuid4().hex[:12]
        for folder in (self.epoch, self.committed, self.cuts):
            folder.mkdir(parents=True, exist_ok=True)
        self._end_torn_line()
        point("epoch-begun")

    def _end_torn_line(self) -> None:
        """Let the next record begin on a line of its own, also after a coordinator that was killed while it wrote one."""
        with contextlib.suppress(FileNotFoundError), self.records.open("r+b") as file:
            if file.seek(0, os.SEEK_END) and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                file.write(b"\n")

    # Attempts become artifacts

    def attempt_path(self, attempt: Attempt) -> Path:
        """Where an attempt writes."""
        return self.epoch / str(attempt)

    def artifact_path(self, task: Task) -> Path:
        """Where a task's artifact is once it is committed."""
        return self.committed / str(task)

    def open(self, task: Task) -> Container:
        """A committed artifact, mapped. Raises Broken.

        Every partition of a phase reads the same artifacts, each another section: their headers are parsed once.
        """
        round, headers = self._headers.get(task.role, (-1, {}))
        container = Container(self._artifact(task), headers.get(task.partition))
        if round != task.round:
            headers = {}
            self._headers[task.role] = task.round, headers
        headers[task.partition] = container.header
        return container

    def sections(self, task: Task) -> Collection[str] | None:
        """The sections of an artifact that was opened before, lately; else None."""
        round, headers = self._headers.get(task.role, (-1, {}))
        header = headers.get(task.partition) if round == task.round else None
        return None if header is None else header.checks

    def _artifact(self, task: Task) -> str:
        return f"{self.committed}/{task.role}.{task.round}.{task.partition}"

    def commit(self, attempt: Attempt, digest: str) -> bool:
        """Publish an attempt as its task's artifact; False if what it wrote is gone.

        The link fails if an artifact is there already: then its digest must be the same.
        """
        source = f"{self.epoch}/{attempt}"
        try:
            point("commit-begin")
            if not self._link(source, attempt.task) and not self._same(attempt.task, digest):
                self._link(source, attempt.task)
            point("commit-linked")
            os.unlink(source)
            point("commit-done")
        except FileNotFoundError:
            return False
        self._digests[attempt.task] = digest
        return True

    def _link(self, source: str, task: Task) -> bool:
        """Publish a file as an artifact; False if there is one already."""
        try:
            os.link(source, self._artifact(task))
        except FileExistsError:
            return False
        return True

    def _same(self, task: Task, digest: str) -> bool:
        """Whether the artifact that is there already has this digest; a broken one makes room."""
        try:
            found = self.open(task).digest
        except Broken:
            _remove(self._artifact(task))
            point("commit-broken-removed")
            return False
        if found != digest:
            raise RegrowError(
                f"{self.artifact_path(task)} has digest {found}, a new attempt {digest}", "please report this as a fault of regrow"
            )
        return True

    def discard(self, attempt: Attempt) -> None:
        """Delete what an attempt wrote, if it wrote anything."""
        self.attempt_path(attempt).unlink(missing_ok=True)
        point("discard-done")

    def forget(self, tasks: Iterable[Task]) -> None:
        """Delete artifacts."""
        for task in tasks:
            _remove(self._artifact(task))
            point("forget-one")
            self._digests.pop(task, None)

    def missing(self) -> list[Task]:
        """Artifacts that were committed, not forgotten, and are not there."""
        there = set(os.listdir(self.committed))
        return [task for task in self._digests if str(task) not in there]

    def damaged(self) -> list[Task]:
        """Artifacts that were committed, not forgotten, and are missing or cut short."""
        found = []
        for task in list(self._digests):
            try:
                self.open(task)
            except Broken:
                found.append(task)
        return found

    def mark_lost(self, tasks: Iterable[Task]) -> None:
        """Take lost artifacts off the books, and what is left of broken ones off the disk."""
        self.forget(tasks)
        point("lost-removed")

    def keep_aside(self, task: Task, attempt: Attempt | None, worker: str) -> None:
        """Keep what an attempt wrote, or the committed artifact, in RUN/disputed: attempts of its task differ."""
        self.disputed.mkdir(exist_ok=True)
        source = self._artifact(task) if attempt is None else f"{self.epoch}/{attempt}"
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            os.link(source, self.disputed / f"{task}.by {worker}")
            point("disputed-kept")

    def settle_disputes(self) -> tuple[list[str], int] | None:
        """Attempts of these tasks differed: go back to a cut from before the oldest of them.

        What was made from them may be wrong. Returns the tasks and the round that is gone back to, -1: the beginning; None if nothing
        is disputed.
        """
        if not self.disputed.is_dir():
            return None
        names = sorted({path.name.partition(".by ")[0] for path in self.disputed.iterdir()})
        rounds = [Task.parse(name).round for name in names]
        back = self.back_to_cut(before=min(rounds, default=0))
        point("disputed-gone-back")
        shutil.rmtree(self.disputed)
        return names, back

    # Coming back

    def present(self, *, check: bool) -> tuple[dict[Task, Receipt], list[str]]:
        """The committed artifacts, and the names of those that are broken and were removed.

        check: read every byte (after a restart of the machine, when only what was fsynced is sure to be whole).
        """
        found: dict[Task, Receipt] = {}
        broken = []
        for name in sorted(os.listdir(self.committed)):
            try:
                task = Task.parse(name)
                container = self.open(task)
                if container.note.get("task") != name:
                    raise Broken(f"{name} is the artifact of another task")
                if check:
                    container.check_all()
                found[task] = read_receipt(container)
            except (Broken, ValueError):
                broken.append(name)
                _remove(self.committed / name)
        point("restore-read")
        self._digests = {task: receipt.digest for task, receipt in found.items()}
        return found, broken

    def read_records(self) -> list[tuple[Record, float]]:
        """The recorded phases and when each was complete (seconds since the epoch); a torn last line is passed over."""
        records = {}
        for line in self._record_lines():
            try:
                entry = json.loads(line)
                phase = PhaseKey(entry["role"], entry["round"])
                records[phase] = (Record(phase, entry["metrics"], entry["stop"], entry["stateless"], entry["holds"]), entry["time"])
            except (ValueError, KeyError, TypeError):
                continue
        return list(records.values())

    def _record_lines(self) -> list[str]:
        try:
            return self.records.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []

    def record(self, record: Record, time: float) -> None:
        """Append the record of a phase."""
        entry = {
            "role": record.phase.role,
            "round": record.phase.round,
            "metrics": record.metrics,
            "stop": record.stop,
            "stateless": record.stateless,
            "holds": record.holds,
            "time": round(time, 3),
        }
        point("record-begin")
        with self.records.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        point("record-written")

    # Cuts

    def make_cut(self, round: int, tasks: Sequence[Task]) -> None:
        """Make a cut durable: fsync its artifacts, then publish its manifest. Raises OSError or Broken; then there is no cut."""
        digests = {str(task): self._digests.get(task, "") for task in tasks}
        if "" in digests.values():
            raise Broken(f"an artifact of round {round} was lost while its cut was made")
        point("cut-begin")
        self._sync_ground()
        for path in [*(self.artifact_path(task) for task in tasks), self.records]:
            sync(path)
        sync(self.committed)
        point("cut-synced")
        aside = self.cuts / f"{round}.new"
        aside.write_text(json.dumps({"round": round, "artifacts": digests}))
        point("cut-aside")
        sync(aside)
        point("cut-aside-durable")
        os.replace(aside, self.cuts / f"{round}.json")
        point("cut-published")
        sync(self.cuts)
        point("cut-durable")
        self.copied_away(False)

    def _sync_ground(self) -> None:
        """Make durable what the artifacts stand on, once: the data that they are made of, and the folders that they are in."""
        for path in () if self._grounded else (*self.ground, self.path, *self.ground_folders):
            sync_all(path) if path in self.ground else sync(path)
        self._grounded = True

    def save(self) -> None:
        """Make everything durable that is committed, and the records. Raises OSError."""
        self._sync_ground()
        for name in os.listdir(self.committed):
            with contextlib.suppress(FileNotFoundError):
                sync(self.committed / name)
        for path in (self.records, self.committed):
            if path.exists():
                sync(path)
        point("save-synced")
        self.copied_away(True)

    def drop_cut(self, round: int) -> None:
        """Remove the manifest of a cut."""
        point("cut-drop")
        (self.cuts / f"{round}.json").unlink(missing_ok=True)
        point("cut-dropped")

    def read_cuts(self, present: Iterable[Task]) -> list[Cut]:
        """The cuts whose artifacts are all there, oldest first; the manifests of the others are removed."""
        there, cuts = set(present), []
        for path in self.cuts.iterdir():
            cut = self._read_cut(path)
            if cut is not None and cut.tasks <= there:
                cuts.append(cut)
            else:
                _remove(path)
                point("restore-cut-dropped")
        return sorted(cuts, key=lambda cut: cut.round)

    def _read_cut(self, path: Path) -> Cut | None:
        try:
            found: dict[str, Any] = json.loads(path.read_text())
            tasks = {Task.parse(name): digest for name, digest in found["artifacts"].items()}
            if path.suffix == ".json" and all(self._digests.get(task) == digest for task, digest in tasks.items()):
                return Cut(int(found["round"]), frozenset(tasks))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
        return None

    def back_to_cut(self, *, before: float = float("inf")) -> int:
        """Delete every artifact and record that is newer than the newest cut of a round before this one; returns that round, or -1.

        What follows is made anew: by other code, or because it cannot be trusted. before=-1: nothing can be gone on from.
        """
        if not self.committed.is_dir():
            return -1
        present, _ = self.present(check=False)
        cuts = self.read_cuts(present)
        for cut in cuts:
            if cut.round >= before:
                self.drop_cut(cut.round)
        cuts = [cut for cut in cuts if cut.round < before]
        kept = cuts[-1] if cuts else Cut(-1, frozenset())
        self.forget([task for task in present if task.round > kept.round])
        point("back-forgotten")
        lines = [line for line in self._record_lines() if self._round_of(line) <= kept.round]
        aside = self.records.with_suffix(".new")
        aside.write_text("".join(line + "\n" for line in lines))
        os.replace(aside, self.records)
        point("back-recorded")
        return kept.round

    @staticmethod
    def _round_of(line: str) -> float:
        try:
            return float(json.loads(line)["round"])
        except (ValueError, KeyError, TypeError):
            return float("inf")

    # Sizes

    def bytes_held(self) -> int:
        """Bytes of all committed artifacts and unfinished attempts."""
        total = 0
        for folder in (self.committed, *(self.path / "attempts").glob("*")):
            with contextlib.suppress(FileNotFoundError):
                total += sum(_size(entry) for entry in os.scandir(folder))
        return total

    def clear(self) -> None:
        """Delete all artifacts, attempts and cuts: the run is over. Cuts go first: none must outlive what it holds."""
        for folder in ("cuts", "committed", "attempts", "disputed"):
            shutil.rmtree(self.path / folder, ignore_errors=True)
            point(f"finish-{folder}-gone")
        self._digests.clear()


def _remove(path: Path | str) -> None:
    """Delete a file, or a folder that somebody put in its place; it may be gone already."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        shutil.rmtree(path)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0
