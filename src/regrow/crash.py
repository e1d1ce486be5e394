"""Named points at which a process can be made to stop dead: for tests, which stop it at each of them in turn.

    REGROW_CRASH=commit-linked:3        at the third passing of that point the process kills itself with SIGKILL

Each point stands between two changes of the disk that belong together. A test holds that all of them are passed, and that wherever a
file of a run is linked, renamed or deleted, a point stands beside it.
"""

from __future__ import annotations

import os
import signal

__all__ = ["POINTS", "VARIABLE", "point"]

VARIABLE = "REGROW_CRASH"

POINTS = {
    # a run begins
    "begin-directory": "the directory is marked as ours, and empty",
    "begin-spec": "run.json is there, the mark is not yet removed",
    "begin-how": "how.json is there",
    "data-made": "prepared data is whole, aside",
    "data-published": "prepared data is in its place",
    "dataset-written": "dataset.json is written aside",
    "identity-written": "the run has an identity",
    # a coordinator starts
    "epoch-cleared": "attempts of earlier coordinators are gone",
    "epoch-begun": "there is an epoch of our own",
    "restore-read": "what was committed is read, broken artifacts are gone",
    "restore-boot": "the boot is noted",
    "restore-cut-dropped": "a cut that is not whole is dropped",
    # commits
    "commit-begin": "an attempt is written, and not yet linked",
    "commit-linked": "its artifact is there, the attempt's own name too",
    "commit-done": "only the artifact is there",
    "commit-broken-removed": "a broken artifact has made room",
    "discard-done": "an attempt is thrown away",
    "record-begin": "a phase is complete, and not recorded",
    "record-written": "it is recorded",
    # retention
    "forget-one": "one of several artifacts that nobody will read is gone",
    "lost-removed": "what was left of lost artifacts is gone",
    # cuts
    "cut-begin": "nothing of the cut is durable yet",
    "cut-synced": "its artifacts are durable, there is no manifest",
    "cut-aside": "the manifest is written aside",
    "cut-aside-durable": "the manifest is durable, aside",
    "cut-published": "the manifest has its name, which is not yet durable",
    "cut-durable": "the cut is durable",
    "cut-drop": "a cut is about to be dropped",
    "cut-dropped": "it is dropped, its artifacts are still there",
    "save-synced": "everything is durable before a pause",
    # attempts that differ, changes that are accepted
    "disputed-kept": "one of the attempts is kept aside",
    "disputed-gone-back": "the run is back at a cut from before them, and they are still there",
    "back-forgotten": "what is newer than that cut is gone, its records are still there",
    "back-recorded": "the records are gone, too",
    # the end
    "keep-aside": "results that are kept are written aside",
    "keep-cleared": "older kept results are gone",
    "kept": "kept results are in their place",
    "model-aside": "the model is written aside",
    "model-durable": "the model is durable, aside",
    "model-published": "the model has its name",
    "finish-cuts-gone": "the cuts are gone",
    "finish-committed-gone": "the artifacts are gone, too",
    "finish-attempts-gone": "unfinished attempts are gone, too",
    "finish-disputed-gone": "attempts that once differed are gone, too",
    "finish-cleared": "everything that the model was made of is gone",
    "finish-told": "the story says that it is finished, `done` is not there",
}
"""Name -> how the disk stands at that point."""

_armed, _, _nth = os.environ.get(VARIABLE, "").partition(":")
_passed = 0


def point(name: str) -> None:
    """A process passes a point; and ends there if that was asked for."""
    if not _armed:
        return
    if name not in POINTS:
        raise AssertionError(f"{name} is no point of crash.POINTS")
    if name == _armed:
        global _passed
        _passed += 1
        if _passed == int(_nth or 1):
            os.kill(os.getpid(), signal.SIGKILL)
