"""A container holds what was put into it, or says that it is broken: never a wrong number."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import safe_open

from regrow.packed import Strings, strings
from regrow.store import container
from regrow.store.container import Broken, Container, write

KINDS = ["?", "u1", "i1", "u2", "i2", "f2", "u4", "<i4", ">i4", "f4", "u8", "i8", "<f8", ">f8"]
arrays = st.sampled_from(KINDS).flatmap(
    lambda kind: hnp.arrays(np.dtype(kind), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
)
texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=5).map(strings)
names = st.from_regex(r"[a-zäß_][a-z0-9_/.]{0,6}", fullmatch=True)
sections = st.dictionaries(
    st.sampled_from(["state", "all/r", "to/r/1", "to/r/11", "result"]), st.dictionaries(names, arrays | texts, max_size=4)
)
notes = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3) | st.floats(allow_nan=False), max_size=3)


def same(one: object, other: object) -> bool:
    if isinstance(one, Strings) or isinstance(other, Strings):
        return one == other
    assert isinstance(one, np.ndarray)
    assert isinstance(other, np.ndarray)
    kind = one.dtype.newbyteorder("<")
    return one.shape == other.shape and kind == other.dtype.newbyteorder("<") and one.astype(kind).tobytes() == other.tobytes()


@settings(max_examples=60, deadline=None)
@given(sections, notes)
def test_what_is_written_is_read_again_and_any_safetensors_reader_opens_it(content: dict, note: dict) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c"
        digest = write(path, content, note)
        found = Container(path)
        assert found.digest == digest
        assert found.note == note
        assert set(found.sections) == set(content)
        for section, values in content.items():
            read = found.section(section)
            assert set(read) == set(values)
            assert all(same(values[name], read[name]) for name in values)
            assert all(not value.flags.writeable for value in read.values() if isinstance(value, np.ndarray) and value.size)
        assert found.section("another") == {}
        with safe_open(str(path), "numpy") as reader:
            for section, values in content.items():
                for name, value in values.items():
                    if isinstance(value, np.ndarray):
                        assert same(value, np.asarray(reader.get_tensor(f"{section}/{name}")))
        again = Path(folder) / "again"
        assert write(again, content, note) == digest
        assert again.read_bytes() == path.read_bytes()


CONTENT = {
    "state": {"x": np.arange(5, dtype=np.float32), "words": strings(["tail", "head", ""])},
    "to/r/1": {"n": np.int64(3), "empty": np.empty((0, 3), np.int16)},
    "all/r": {},
}


def what_is_read(path: Path) -> object:
    try:
        found = Container(path)
        values = {s: {n: (list(v) if isinstance(v, Strings) else v.tobytes()) for n, v in found.section(s).items()} for s in found.sections}
        return found.digest, json.dumps(found.note), values
    except Broken:
        return None


def test_a_flipped_byte_is_found_or_changes_nothing_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c"
    write(path, CONTENT, {"metrics": {"loss": 0.5}})
    whole, before = path.read_bytes(), what_is_read(path)
    unnoticed = 0
    for place in range(len(whole)):
        for bit in (0, 5):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            found = what_is_read(path)
            assert found in (None, before), f"byte {place}"
            unnoticed += found is not None
    assert unnoticed <= 2 * 64 * 3  # the padding between sections


def test_a_file_cut_short_or_made_longer_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "c"
    write(path, CONTENT, {})
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert what_is_read(path) is None, end
    path.write_bytes(whole + b"\0")
    assert what_is_read(path) is None
    path.unlink()
    with pytest.raises(Broken, match="missing"):
        Container(path)


def test_what_is_no_regular_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    os.mknod(tmp_path / "socket", stat.S_IFSOCK | 0o600)
    for path in [*tmp_path.iterdir(), Path(os.devnull)]:
        with pytest.raises(Broken, match="no regular file"):
            Container(path)


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stops_early(descriptor: int, pieces: list) -> int:
        return os.write(descriptor, bytes(pieces[0])[: max(1, len(pieces[0]) // 3)])

    def runs_full(descriptor: int, pieces: list) -> int:
        os.write(descriptor, b"begun")
        raise OSError(28, "No space left on device")

    write(tmp_path / "usual", CONTENT, {})
    monkeypatch.setattr(container.os, "writev", stops_early)
    write(tmp_path / "slow", CONTENT, {})
    assert (tmp_path / "slow").read_bytes() == (tmp_path / "usual").read_bytes()
    monkeypatch.setattr(container.os, "writev", runs_full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "full", CONTENT, {})
    assert not (tmp_path / "full").exists()
    with pytest.raises(FileExistsError):
        write(tmp_path / "usual", {}, {})
    assert what_is_read(tmp_path / "usual") is not None


def test_reading_leaves_no_descriptor_open(tmp_path: Path) -> None:
    write(tmp_path / "c", CONTENT, {})
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        Container(tmp_path / "c").section("state")
    assert len(os.listdir("/proc/self/fd")) == before
