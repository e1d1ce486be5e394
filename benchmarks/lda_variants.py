"""What an option of `regrow lda train` does to held-out perplexity, by how frequent words are, at equal CPU time.

    python benchmarks/lda_variants.py --data DIR [--topics 1000] [--alpha-sum 5] [--rounds 20,100] [--without-duplicates]
                                      [--variant "NAME=--start random --draws 1"] ... [--json OUT.json]

DIR as for `lda_peers.py` (see `lda_peers_corpus.py`). Each variant trains on one worker, as a user gets it; each number of rounds is a
run of its own. `regrow lda evaluate` scores the held-out documents with the model's own priors. With --without-duplicates those that
equal a training document as bags of words are left out, and so are training documents that equal one before: who puts equal documents
together gains nothing by it then. Single chains: differences of 1 % say nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lda_peers_corpus import Corpus, read_corpus

VARIANTS = ("default=", "random start=--start random", "one draw=--draws 1", "alpha learned=--learn-alpha")


def bags(ptr: Any, words: Any, counts: Any) -> list[bytes]:
    """Each document as bytes that equal documents share."""
    return [words[a:b].tobytes() + b"|" + counts[a:b].tobytes() for a, b in itertools.pairwise(ptr)]


def write_bag(path: Path, ptr: Any, words: Any, counts: Any, some: list[int], n_words: int) -> None:
    """The documents `some` as a UCI bag of words."""
    with open(path, "w") as file:
        cells = sum(int(ptr[d + 1] - ptr[d]) for d in some)
        file.write(f"{len(some)}\n{n_words}\n{cells}\n")
        for place, d in enumerate(some, 1):
            own = slice(int(ptr[d]), int(ptr[d + 1]))
            file.writelines(f"{place} {w + 1} {n}\n" for w, n in zip(words[own].tolist(), counts[own].tolist(), strict=True))


def written(corpus: Corpus, folder: Path, without_duplicates: bool) -> tuple[list[str], list[str]]:
    """Arguments that name the documents to train on and the held-out ones."""
    words, counts = corpus.held_words, corpus.observed + corpus.scored
    train, held = bags(corpus.ptr, corpus.words, corpus.counts), bags(corpus.held_ptr, words, counts)
    some, scored = list(range(len(train))), list(range(len(held)))
    if without_duplicates:
        first = {bag: d for d, bag in reversed(list(enumerate(train)))}
        some, scored = sorted(first.values()), [d for d in scored if held[d] not in first]
        some_left = f"{len(train) - len(some):,} of {len(train):,} documents to train on"
        print(f"left out: {some_left}, {len(held) - len(scored):,} of {len(held):,} held out")
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text(Path(corpus.vocab).read_text(encoding="utf-8") + "\u2014unknown\u2014\n", encoding="utf-8")
    size = len(corpus.word_counts) + 1
    write_bag(folder / "docword.train.txt", corpus.ptr, corpus.words, corpus.counts, some, size)
    write_bag(folder / "docword.held.txt", corpus.held_ptr, words, counts, scored, size)
    return [[str(folder / f"docword.{part}.txt"), "--vocab", str(vocabulary)] for part in ("train", "held")]  # type: ignore[return-value]


def regrow(*arguments: object) -> dict[str, Any]:
    """A command and what it says."""
    command = [sys.executable, "-m", "regrow.cli.main", *map(str, arguments), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"exit {ended.returncode}: {ended.stderr.strip()}")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def line(name: str, rounds: int, trained: dict[str, Any], scored: dict[str, Any]) -> str:
    bands = " ".join(f"{row['loss']:8.3f}" for row in scored["bands"] if row["units"])
    return f"{name:24} {rounds:6} {trained['cpu_seconds']:8.1f} {scored['perplexity']:10.1f} {bands}"


def main() -> None:
    """Train and score each variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--topics", type=int, default=1000)
    parser.add_argument("--alpha-sum", type=float, default=5.0)
    parser.add_argument("--rounds", default="20,100")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variant", action="append", metavar="NAME=OPTIONS")
    parser.add_argument("--without-duplicates", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(prefix="regrow-variants-") as scratch:
        os.environ["XDG_CACHE_HOME"], folder = scratch, Path(scratch)
        train, held = written(read_corpus(given.data, folder), folder, given.without_duplicates)
        print(f"{given.data.resolve().name}: {given.topics:,} topics, alpha sum {given.alpha_sum:g}, one worker, seed {given.seed}")
        settings = ["--topics", given.topics, "--alpha-sum", given.alpha_sum, "--seed", given.seed, "--workers", 1, "--likelihood-every", 0]
        for variant in given.variant or VARIANTS:
            name, _, options = variant.partition("=")
            for rounds in map(int, given.rounds.split(",")):
                place = ["--run", folder / "run", "--overwrite"]
                trained = regrow("lda", "train", *train, *settings, "--rounds", rounds, *options.split(), *place)
                scored = regrow("lda", "evaluate", folder / "run", *held, "--run", folder / "evaluate", "--overwrite")
                if not results:
                    names = " ".join(f"{row['band']:>8}" for row in scored["bands"] if row["units"])
                    print(f"{'loss in nats by band':24} {'rounds':>6} {'CPU-s':>8} {'perplexity':>10} {names}")
                print(line(name, rounds, trained, scored), flush=True)
                results.append({"variant": name, "options": options, "rounds": rounds, "train": trained, "evaluate": scored})
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
