"""Prepared data: parts are what they were made of, however they came there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from regrow.coordinator.plan import Task
from regrow.errors import DamagedData
from regrow.packed import strings
from regrow.program import Outputs
from regrow.store.artifact import State, write_artifact
from regrow.store.container import Container
from regrow.store.dataset import Dataset, DatasetWriter


@pytest.mark.parametrize("messages", [{}, {("b", 0): {"y": np.arange(3)}}], ids=["alone", "beside messages"])
def test_a_result_that_is_alone_in_its_artifact_is_not_written_again(tmp_path: Path, messages: dict) -> None:
    arrays, artifact = {"x": np.arange(5)}, tmp_path / "a.0.0"
    write_artifact(artifact, Task("a", 0, 0), Outputs(messages=messages, results=arrays), (), State)
    writer = DatasetWriter(tmp_path / "data")
    writer.take("a", 0, artifact, arrays)
    made = writer.publish({})
    part = made.path / "a.0"
    assert os.path.samefile(part, artifact) is not bool(messages)
    artifact.unlink()  # artifacts go when the stage is over
    assert Dataset.open(made.path).part("a", 0)["x"].tolist() == [0, 1, 2, 3, 4]
    assert not made.damage()
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    assert "does not check" in made.damage()


def test_what_a_process_has_checked_it_checks_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    section = Container.section
    monkeypatch.setattr(Container, "section", lambda self, name: (checked.append(name), section(self, name))[1])
    writer = DatasetWriter(tmp_path / "data")
    writer.add("a", 0, {"x": np.arange(5), "s": strings(["a", "bc"])})
    writer.add("a", 1, {})
    data = writer.publish({})
    for _ in range(3):
        part = data.part("a", 0)
        assert (part["x"].tolist(), list(part["s"])) == ([0, 1, 2, 3, 4], ["a", "bc"])
        assert data.part("a", 1) == {}
    assert len(checked) == 2, "once each"
    file = data.path / "a.0"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(1, 1))  # whatever the clock of the file system
    with pytest.raises(DamagedData, match="does not check"):
        data.part("a", 0)
    content[-1] ^= 1
    (tmp_path / "other").write_bytes(content)
    os.replace(tmp_path / "other", file)
    assert data.part("a", 0)["x"].tolist() == [0, 1, 2, 3, 4]
    file.unlink()
    with pytest.raises(DamagedData, match="is missing"):
        data.part("a", 0)
