"""What `lda_peers.py` trains on and scores: one bag of words for all, and held-out documents in halves.

A folder with `docword*.txt[.gz]` (UCI), `vocab*.txt` and `heldout.npz` is taken as it is: `heldout.npz` is a CSR matrix (indptr,
indices, data) of held-out documents, and may have `obs`, how many of each count are observed. With `peer-curves.json` beside it
(`lda_peers_recorded.py`), `obs` is also kept as it stands, for a second score. Other folders hold `*.tsv.gz` with some of
the columns title, summary, abstract, description, which make a document, joined by a space. A word is then a run of letters and digits
with apostrophes inside, in lower case; all words are kept. One document of ten is held out, as the SHA-256 of its text says, so that
equal texts are on one side.

Halves are those of `regrow lda evaluate`: token i of a document is observed if the lowest bit of a hash of (SHA-256 of the text, i) is 0;
the text of a bag is its words joined by spaces, each as often as it occurs.
"""

from __future__ import annotations

import collections
import csv
import gzip
import hashlib
import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

CURVES = "peer-curves.json"
COLUMNS = ("title", "summary", "abstract", "description")
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True)
class Corpus:
    """D documents to train on, H held-out documents, V words.

    ptr int64 [D + 1], words, counts int32 [cells]     the documents to train on
    held_ptr int64 [H + 1], held_words int32 [held cells]     the held-out documents; word V stands for all that training has not
    observed, scored int32 [held cells]     tokens of each cell
    word_counts int64 [V]     occurrences in the documents to train on
    docword, vocab     the same as files
    stored int32 [held cells, or 0]     observed tokens as the file has them, which may be more than there are; none unless curves were
        recorded with them
    """

    ptr: Array
    words: Array
    counts: Array
    held_ptr: Array
    held_words: Array
    observed: Array
    scored: Array
    word_counts: Array
    docword: str
    vocab: str
    stored: Array

    @property
    def documents(self) -> int:
        return len(self.ptr) - 1

    def facts(self) -> dict[str, int]:
        """Sizes, for people and JSON."""
        return {
            "documents": self.documents,
            "tokens": int(self.counts.sum()),
            "words": len(self.word_counts),
            "held_out_documents": len(self.held_ptr) - 1,
            "observed_tokens": int(self.observed.sum()),
            "scored_tokens": int(self.scored.sum()),
            "scored_tokens_of_unknown_words": int(self.scored[self.held_words == len(self.word_counts)].sum()),
        }

    def save(self, path: Path) -> None:
        np.savez(path, **asdict(self))

    @staticmethod
    def load(path: Path) -> Corpus:
        with np.load(path) as file:
            return Corpus(**{name: str(file[name]) if file[name].dtype.kind == "U" else file[name] for name in file.files})


def read_corpus(folder: Path, scratch: Path) -> Corpus:
    """Read a folder of either kind; files that are made go to `scratch`."""
    bags, tables = sorted(folder.glob("docword*.txt*")), sorted(folder.glob("*.tsv.gz"))
    if bags and (folder / "heldout.npz").exists():
        return _given(bags[0], next(iter(sorted(folder.glob("vocab*.txt")))), folder / "heldout.npz")
    if not tables:
        sys.exit(f"{folder}: neither docword*.txt with heldout.npz nor *.tsv.gz")
    return _cut(tables, scratch)


def _given(docword: Path, vocab: Path, held: Path) -> Corpus:
    with gzip.open(docword) if docword.suffix == ".gz" else open(docword, "rb") as file:
        documents, words, _ = (int(file.readline()) for _ in range(3))
        triples = np.array(file.read().split(), np.int64).reshape(-1, 3)
    ptr = np.searchsorted(triples[:, 0], np.arange(1, documents + 2)).astype(np.int64)
    own, counts = (triples[:, 1] - 1).astype(np.int32), triples[:, 2].astype(np.int32)
    totals = np.bincount(own, counts, words).astype(np.int64)
    with np.load(held) as file:
        held_words = file["indices"].astype(np.int32)
        held_words[totals[held_words] == 0] = words
        held_ptr, held_counts = file["indptr"].astype(np.int64), file["data"].astype(np.int32)
        observed = file["obs"].astype(np.int32) if "obs" in file.files else None
        if observed is not None and ((observed < 0) | (observed > held_counts)).any():
            bad = np.count_nonzero(observed > held_counts)
            print(f"{held}: obs has more tokens than there are in {bad:,} cells, so it is left aside; tokens are split by hash")
            observed = None
        if observed is None:
            observed = _split_bags(held_ptr, file["indices"], held_counts, vocab.read_text(encoding="utf-8").splitlines())
        kept = "obs" in file.files and (held.parent / CURVES).exists()
        stored = file["obs"].astype(np.int32) if kept else np.zeros(0, np.int32)
    scored = held_counts - observed
    return Corpus(ptr, own, counts, held_ptr, held_words, observed, scored, totals, str(docword), str(vocab), stored)


def _split_bags(ptr: Array, words: Array, counts: Array, names: list[str]) -> Array:
    """How many tokens of each cell are observed."""
    observed = np.zeros(len(words), np.int32)
    for start, end in itertools.pairwise(ptr.tolist()):
        own = np.repeat(np.arange(start, end), counts[start:end])
        sha = hashlib.sha256(" ".join(names[w] for w in words[own]).encode()).digest()
        np.add.at(observed, own[observed_bits(int.from_bytes(sha[:8], "little"), len(own))], 1)
    return observed


def _texts(tables: list[Path]) -> Iterator[str]:
    csv.field_size_limit(1 << 30)
    for table in tables:
        with gzip.open(table, "rt", encoding="utf-8", newline="") as file:
            rows = csv.reader(file, delimiter="\t")
            header = next(rows)
            places = [header.index(column) for column in COLUMNS if column in header]
            if not places:
                sys.exit(f"{table}: none of the columns {', '.join(COLUMNS)}, but {', '.join(header)}")
            yield from (" ".join(row[place] for place in places) for row in rows)


def _cut(tables: list[Path], scratch: Path) -> Corpus:
    train: list[collections.Counter[str]] = []
    held: list[tuple[collections.Counter[str], collections.Counter[str]]] = []
    for text in _texts(tables):
        sha = hashlib.sha256(text.encode()).digest()
        words = WORD.findall(text.lower().replace("’", "'"))
        if not words:
            continue
        if int.from_bytes(sha[8:16], "little") % 10:
            train.append(collections.Counter(words))
            continue
        bits = observed_bits(int.from_bytes(sha[:8], "little"), len(words))
        halves = [collections.Counter(word for word, bit in zip(words, bits, strict=True) if bit == half) for half in (True, False)]
        held.append((halves[0], halves[1]))
    totals: collections.Counter[str] = collections.Counter()
    for bag in train:
        totals.update(bag)
    names = sorted(totals, key=lambda word: (-totals[word], word))
    number = {word: w for w, word in enumerate(names)}
    ptr, words_, counts = _cells([{number[word]: n for word, n in bag.items()} for bag in train])
    docword, vocab = scratch / "docword.txt", scratch / "vocab.txt"
    vocab.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    with open(docword, "w") as file:
        file.write(f"{len(train)}\n{len(names)}\n{len(words_)}\n")
        table = np.column_stack([np.repeat(np.arange(1, len(ptr)), np.diff(ptr)), words_ + 1, counts])
        np.savetxt(file, table, "%d")
    unknown = len(names)
    both: list[list[dict[int, int]]] = [[], []]
    for halves_ in held:
        found: list[collections.Counter[int]] = [collections.Counter(), collections.Counter()]
        for half, bag in zip(found, halves_, strict=True):
            for word, n in bag.items():
                half[number.get(word, unknown)] += n
        places = found[0].keys() | found[1].keys()
        for side, half in zip(both, found, strict=True):
            side.append({w: half[w] for w in places})
    held_ptr, held_words, observed = _cells(both[0])
    scored = _cells(both[1])[2]
    word_counts = np.array([totals[name] for name in names], np.int64)
    stored = np.zeros(0, np.int32)
    return Corpus(ptr, words_, counts, held_ptr, held_words, observed, scored, word_counts, str(docword), str(vocab), stored)


def _cells(bags: list[dict[int, int]]) -> tuple[Array, Array, Array]:
    """(ptr, words, counts) of bags, words ascending."""
    ptr = np.zeros(len(bags) + 1, np.int64)
    np.cumsum([len(bag) for bag in bags], out=ptr[1:])
    cells = np.array([cell for bag in bags for cell in sorted(bag.items())], np.int32).reshape(-1, 2)
    return ptr, cells[:, 0].copy(), cells[:, 1].copy()


def observed_bits(key: int, tokens: int) -> Array:
    """Whether each token of a document is observed, bool [tokens]: the lowest bit of output i of SplitMix64 from `key`."""
    with np.errstate(over="ignore"):
        x = np.uint64(key) + np.arange(tokens, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    observed: Array = (x ^ (x >> np.uint64(31))) & np.uint64(1) == 0
    return observed
