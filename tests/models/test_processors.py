"""Every model is the same bytes on a processor that knows nothing but the basic instructions.

One process trains all of them with kernels that were compiled for such a processor, from the input on: what models share is compiled once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import scipy.sparse

from models.logistic.clicks import csv_text
from models.pagerank.graphs import edges, lines
from models.svd import texts
from shell import Shell, themes

COMMANDS = {
    "topics": ("lda", "train", "docs.txt", "--topics", "8", "--rounds", "12", "--grid", "2x2", "--likelihood-every", "2"),
    "learned": ("lda", "train", "pairs.txt", "--topics", "30", "--rounds", "15", "--learn-alpha", "--learn-beta", "--merge-every", "12"),
    "clicks": ("ctr", "train", "rows.csv", "--label", "click", "--backoff", "item:category", "--features", "user,item"),
    "ranks": ("pagerank", "train", "edges.tsv", "--partitions", "4", "--weight", "3"),
    "factors": ("svd", "train", "planted.txt", "--rank", "12", "--power", "3", "--grid", "3x3"),
    "weighed": ("svd", "train", "x.npz", "--rank", "9", "--grid", "3x2", "--scaling", "tfidf"),
}
CODE = """
import json, sys
from regrow.cli.main import main
for name, words in json.loads(sys.argv[1]).items():
    sys.argv = ["regrow", *words, "--engine", "inline", "--run", f"generic-{name}", "--json"]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


@pytest.mark.slow
@pytest.mark.processes
def test_the_same_bytes_on_a_generic_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "docs.txt").write_text(themes(400))
    (tmp_path / "pairs.txt").write_text("\n".join(" ".join(f"s{line % 8}w{word}" for word in range(10)) for line in range(400)) + "\n")
    (tmp_path / "rows.csv").write_text(csv_text(3_000))
    (tmp_path / "edges.tsv").write_text(lines(edges()))
    (tmp_path / "planted.txt").write_text("\n".join(texts.documents(600, topics=30)) + "\n")
    scipy.sparse.save_npz("x.npz", scipy.sparse.csr_matrix(texts.counts(400, 150)))
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CACHE_DIR": str(tmp_path / "kernels"),
        "XDG_CACHE_HOME": str(tmp_path / "generic"),
    }
    words = [sys.executable, "-c", CODE, json.dumps(COMMANDS)]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    shell = Shell(tmp_path, capsys)
    here = {name: shell.run(*words, "--engine", "inline", "--run", name) for name, words in COMMANDS.items()}
    out, err = process.communicate(timeout=1200)
    assert process.returncode == 0, err
    assert list((tmp_path / "kernels").rglob("*.nbc")), "the kernels were not compiled anew"
    there = dict(zip(COMMANDS, map(json.loads, out.splitlines()), strict=True))
    for name in COMMANDS:
        assert there[name]["digest"] == here[name]["digest"], name
        assert there[name]["history"] == here[name]["history"], name
    assert here["learned"]["metrics"]["merged_topics"] > 0
