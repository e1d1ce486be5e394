"""The comparison of factorisations runs from one end to the other, on planted topics and on text, and its table says what it must."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.svd import texts

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "svd_peers.py"


@pytest.mark.early(2)
@pytest.mark.slow
@pytest.mark.parametrize("of_text", [False, True])
def test_a_small_comparison(tmp_path: Path, of_text: bool) -> None:
    more = ["--documents", "400"]
    if of_text:
        (tmp_path / "docs.txt").write_text("\n".join(texts.documents(1_500)) + "\n")
        more = ["--data", str(tmp_path / "docs.txt")]
    words = [sys.executable, str(BENCHMARK), "--rank", "6", "--scaling", "chi2", "--json", str(tmp_path / "out.json"), *more]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=900)
    assert ended.returncode == 0, ended.stderr
    found = {row["contestant"]: row for row in json.loads((tmp_path / "out.json").read_text())}
    assert list(found) == ["sklearn arpack", "sklearn randomized", "gensim LSI", "regrow"]
    assert found["sklearn arpack"]["max_error"] == 0
    assert all(row["seconds"] > 0 and row["captured"] for row in found.values())
    assert found["regrow"]["max_error"] < 0.2
    assert "largest error" in ended.stdout
