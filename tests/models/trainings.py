"""A small training of every kind: together they call, and so compile, all kernels.

Before several processes of tests compile the same at the same time, two of them do it once:

    python tests/models/trainings.py words      those of topics and of factors of text
    python tests/models/trainings.py numbers    all others
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import regrow
from models.logistic.clicks import csv_text, libsvm_text
from models.pagerank.graphs import edges, lines
from models.svd import texts
from shell import themes

__all__ = ["COMMANDS", "train", "write_inputs"]

COMMANDS: Mapping[str, Sequence[str]] = {
    "topics": ("lda", "train", "docs.txt", "--topics", "8", "--rounds", "12", "--grid", "2x2", "--likelihood-every", "2"),
    "learned": (
        *("lda", "train", "pairs.txt", "--topics", "30", "--rounds", "30", "--merge-every", "12"),
        *("--learn-alpha", "--learn-beta", "--learn-every", "5"),
    ),
    "clicks": ("ctr", "train", "rows.csv", "--label", "click", "--backoff", "item:category", "--features", "user,item"),
    "ranks": ("pagerank", "train", "edges.tsv", "--partitions", "4", "--weight", "3"),
    "factors": ("svd", "train", "planted.txt", "--rank", "12", "--power", "3", "--grid", "3x3"),
    "weighed": ("svd", "train", "x.npz", "--rank", "9", "--grid", "3x2", "--scaling", "tfidf"),
}
WORDS = ("topics", "learned", "factors")
USES: Sequence[Sequence[str]] = (
    ("lda", "infer", "warm-topics", "docs.txt"),
    ("lda", "infer", "warm-topics", "docs.txt", "--method", "sampling"),
    ("lda", "evaluate", "warm-topics", "docs.txt"),
    ("ctr", "train", "rows.csv", "--label", "click", "--calibrate", "category", "--run", "warm-calibrated"),
    ("ctr", "evaluate", "warm-calibrated", "rows.csv"),
    ("ctr", "train", "rows.vw", "--run", "warm-vw"),
    ("ctr", "train", "rows.libsvm", "--run", "warm-libsvm"),
)
"""What is done with models, and other forms of input: not compared, only compiled."""


def write_inputs() -> None:
    """The files that the commands name, here."""
    import scipy.sparse

    Path("docs.txt").write_text(themes(400))
    Path("pairs.txt").write_text("\n".join(" ".join(f"s{line % 8}w{word}" for word in range(10)) for line in range(250)) + "\n")
    Path("rows.csv").write_text(csv_text(3_000))
    Path("edges.tsv").write_text(lines(edges()))
    Path("planted.txt").write_text("\n".join(texts.documents(600, topics=30)) + "\n")
    Path("rows.libsvm").write_text(libsvm_text(300))
    Path("rows.vw").write_text("1 2.5 'tag|user:2 name:3 age |item i:1.5 j\n-1 |user name\n" * 20)
    scipy.sparse.save_npz("x.npz", scipy.sparse.csr_matrix(texts.counts(400, 150)))


def train(commands: Mapping[str, Sequence[str]], prefix: str) -> None:
    """All of them in this process; each prints its line of JSON."""
    for name, words in commands.items():
        run(*words, "--run", f"{prefix}-{name}", "--json")


def run(*words: str) -> None:
    """One command in this process."""
    from regrow.cli.main import main

    sys.argv = ["regrow", *words, "--engine", "inline"]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise


def compile_kernels(words: bool) -> None:
    """Half of them; the other half is another process's."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["XDG_CACHE_HOME"] = folder
        write_inputs()
        train({name: command for name, command in COMMANDS.items() if (name in WORDS) == words}, "warm")
        for command in USES:
            if (command[0] == "lda") == words:
                run(*command)
        if not words:
            regrow.connected_components([0, 1, 2], [1, 2, 3], engine="inline")
        os.chdir("/")


if __name__ == "__main__":
    if sys.argv[1] in ("words", "numbers"):
        compile_kernels(sys.argv[1] == "words")
    else:
        train(json.loads(sys.argv[1]), "generic")
