"""Models for other programs: the same names and weights, and the same predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.logistic.clicks import csv_text, libsvm_text
from regrow.models.logistic.specs import read_clicks
from shell import Shell, refuses

onnxruntime = pytest.importorskip("onnxruntime")

INLINE = ("--engine", "inline")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rows = csv_text(1_500).splitlines()
    (tmp_path / "rows.csv").write_text("\n".join([rows[0] + ",age", *(f"{row},{n % 70 or ''}" for n, row in enumerate(rows[1:]))]) + "\n")
    (tmp_path / "rows.libsvm").write_text(libsvm_text(1_500))
    return Shell(tmp_path, capsys)


def predictions(shell: Shell, run: str, file: str) -> Any:
    return np.array([json.loads(line)["p"] for line in shell("ctr", "predict", run, file, *INLINE).out.splitlines()])


def run_graph(path: Path, feed: dict[str, Any]) -> Any:
    return onnxruntime.InferenceSession(path).run(["p"], feed)[0][:, 0]


def test_the_table_has_every_feature_with_its_name(shell: Shell) -> None:
    shell.run("ctr", "train", "rows.csv", "--label", "click", *INLINE, "--run", "run")
    assert shell("ctr", "export", "run", "--out", "model.parquet").code == 0
    rows = pq.read_table(shell.folder / "model.parquet").to_pylist()
    model = read_clicks("run")[0]
    assert len(rows) == model.features
    assert rows[0] == {"field": "", "value": "(bias)", "weight": float(model.weights[0]), "count": 1_500}
    assert {row["field"] for row in rows} == {"", "user", "item", "category", "age"}
    refuses(shell("ctr", "export", "run", "--out", "model.xyz"), 2, "--format parquet or onnx")


def test_the_graph_of_a_table_predicts_the_same(shell: Shell) -> None:
    options = ("--numeric", "age", "--backoff", "pair:user,item", "--cross", "both:item,category")
    shell.run("ctr", "train", "rows.csv", "--label", "click", *options, *INLINE, "--run", "run")
    assert shell("ctr", "export", "run", "--out", "model.onnx").code == 0
    names, *rows = (line.split(",") for line in (shell.folder / "rows.csv").read_text().splitlines())
    columns = {name: np.array([[row[i]] for row in rows], object) for i, name in enumerate(names) if name != "click"}
    columns["age"] = np.array([[float(value[0]) if value[0] else np.nan] for value in columns["age"]], np.float32)
    found = run_graph(shell.folder / "model.onnx", columns)
    assert found == pytest.approx(predictions(shell, "run", "rows.csv"), abs=1e-6)
    columns["user"][:] = "nobody"
    assert not np.allclose(run_graph(shell.folder / "model.onnx", columns), found)


def test_the_graph_of_libsvm_predicts_the_same(shell: Shell) -> None:
    shell.run("ctr", "train", "rows.libsvm", *INLINE, "--run", "run")
    assert shell("ctr", "export", "run", "--out", "model.onnx").code == 0
    rows = [[pair.split(":") for pair in line.split()[1:]] for line in (shell.folder / "rows.libsvm").read_text().splitlines()]
    ids = np.array([[int(id) for id, _ in row] + [0] for row in rows], np.int64)
    values = np.array([[float(x) for _, x in row] + [0] for row in rows], np.float32)
    found = run_graph(shell.folder / "model.onnx", {"ids": ids, "values": values})
    assert found == pytest.approx(predictions(shell, "run", "rows.libsvm"), abs=1e-6)


def test_what_onnx_cannot_say_is_refused(shell: Shell) -> None:
    shell.run("ctr", "train", "rows.csv", "--label", "click", "--binned", "age", *INLINE, "--run", "binned")
    refuses(shell("ctr", "export", "binned", "--out", "model.onnx"), 2, "falls into bins")
    shell.run("ctr", "train", "rows.csv", "--label", "click", "--hash-bits", 8, *INLINE, "--run", "hashed")
    refuses(shell("ctr", "export", "hashed", "--out", "model.onnx"), 2, "hashed features")
    shell.run("ctr", "train", "rows.libsvm", "--label", "=1", *INLINE, "--run", "lines")
    refuses(shell("ctr", "export", "lines", "--out", "nowhere/model.onnx"), 2, "cannot be written")
