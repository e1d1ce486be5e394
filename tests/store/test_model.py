"""A model: published by one rename, read as it was, with a digest of its content alone."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regrow.columns import from_arrow, to_arrow
from regrow.errors import DataError
from regrow.packed import strings
from regrow.store.model import digest_of, publish_model, read_model

ABOUT = {"kind": "m:P", "parameters": {"k": 3}, "seed": 1}
ARRAYS = {
    "alpha": np.array([0.5, 0.25]),
    "scalar": np.array(7, np.int32),
    "flags": np.array([True, False]),
    "none": np.empty((0, 4), np.float32),
    "matrix": np.arange(6, dtype=">i4").reshape(2, 3),
    "words.word": strings(["tail", "", "größer", "a\0b"]),
    "words.count": np.array([4, 3, 2, 2**63], np.uint64),
    "words.half": np.array([1, np.nan, np.inf, 0], np.float16),
    "words.flag": np.array([True, False, False, True]),
    "words.big": np.array([1, -2, 3, 2**30], ">i4"),
    "words.other": np.arange(2),
    "words.names": strings(["of", "another", "length"]),
    "plain": strings(["no", "dot"]),
    "nobody": strings([]),
    "square.x": np.eye(2),
}


def test_a_model_is_read_as_it_was_published(tmp_path: Path) -> None:
    digest = publish_model(tmp_path / "m", ARRAYS, ABOUT)
    found = read_model(tmp_path / "m")
    assert set(found.arrays) == set(ARRAYS)
    assert digest_of(found.arrays) == digest == found.digest == digest_of(ARRAYS)
    assert list(found.arrays["words.word"]) == ["tail", "", "größer", "a\0b"]
    assert found.arrays["scalar"].shape == ()
    assert found.kind == "m:P"
    assert not (tmp_path / "m.new").exists()


def test_the_digest_is_of_the_content_and_of_nothing_else(tmp_path: Path) -> None:
    one = publish_model(tmp_path / "one", ARRAYS, ABOUT)
    two = publish_model(tmp_path / "deeper.folder", dict(reversed(ARRAYS.items())), ABOUT | {"seed": 2})
    assert one == two
    for name, other in (("alpha", np.array([0.5, 0.5])), ("flags", np.array([1, 0], np.int8)), ("plain", strings(["nod", "ot"]))):
        assert digest_of(ARRAYS | {name: other}) != one
    assert digest_of({"x": ARRAYS["alpha"]}) != digest_of({"y": ARRAYS["alpha"]})


@pytest.mark.parametrize("others", [{}, {"words.word": strings(["a", "b"])}], ids=["alone", "beside strings"])
@pytest.mark.parametrize(
    "value", [["x", "yy"], [1j, 2], np.array([1, 2], "M8[s]"), np.array([{}, 1], object)], ids=["str", "complex", "time", "object"]
)
def test_what_a_model_cannot_hold_is_refused_by_name(tmp_path: Path, value: Any, others: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r'"words.x" has type .*packed by regrow\.strings'):
        publish_model(tmp_path / "m", {"words.x": np.asarray(value), **others}, ABOUT)
    assert not list(tmp_path.iterdir())


def test_a_column_keeps_all_values_or_is_refused() -> None:
    for values in (np.arange(3), np.array([1, 2], ">i2"), np.array([True, False]), np.empty(0, np.float32)):
        assert np.array_equal(from_arrow(to_arrow(values)), values)
    for values in (np.eye(2), np.array(7), np.ones((2, 1), np.bool_)):
        with pytest.raises(ValueError, match="one dimension"):
            to_arrow(values)
    with pytest.raises(TypeError, match=r"packed by regrow\.strings"):
        to_arrow(np.array(["x", "yy"]))


@pytest.mark.skipif(find_spec("pandas") is None, reason="pandas is not installed")
def test_a_model_is_published_and_read_without_waiting_for_pandas(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np, pathlib; from regrow.packed import strings; from regrow.store.model import publish_model, read_model\n"
        f"folder = pathlib.Path({str(tmp_path / 'm')!r})\n"
        "publish_model(folder, {'t.word': strings(['a', 'b']), 't.count': np.arange(2)}, {'kind': 'm:P', 'parameters': {}})\n"
        "assert read_model(folder).arrays['t.count'].tolist() == [0, 1] and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_publishing_replaces_what_a_killed_process_left(tmp_path: Path) -> None:
    (tmp_path / "m.new").mkdir()
    (tmp_path / "m.new" / "arrays.safetensors").write_text("half")
    publish_model(tmp_path / "m", {"a": np.zeros(2)}, ABOUT)
    publish_model(tmp_path / "m", {"a": np.ones(2)}, ABOUT)
    assert read_model(tmp_path / "m").arrays["a"].tolist() == [1, 1]


def test_what_is_no_model_is_refused_with_the_way_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no model"):
        read_model(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DataError, match="not finished"):
        read_model(tmp_path)
    publish_model(tmp_path / "model", {"a": np.zeros(2)}, ABOUT)
    assert read_model(tmp_path).path == tmp_path / "model"
    (tmp_path / "model" / "arrays.safetensors").write_bytes(b"torn")
    with pytest.raises(DataError, match="damaged"):
        read_model(tmp_path)
    about = json.loads((tmp_path / "model" / "model.json").read_text())
    (tmp_path / "model" / "model.json").write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(DataError, match="format 99"):
        read_model(tmp_path)
    for others, told in (('{"architectures": []}', "model.json is none that regrow wrote"), ("[", "is damaged: model.json:")):
        (tmp_path / "model" / "model.json").write_text(others)
        with pytest.raises(DataError, match=told):
            read_model(tmp_path)


def test_a_table_that_is_torn_is_named(tmp_path: Path) -> None:
    publish_model(tmp_path / "m", {"words.word": strings(["a", "b"]), "words.count": np.array([2, 1])}, ABOUT)
    assert read_model(tmp_path / "m").arrays["words.count"].tolist() == [2, 1]
    (tmp_path / "m" / "words.parquet").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"is damaged: words\.parquet:"):
        read_model(tmp_path / "m")
