"""How fast the kernels of LDA are, alone: no messages, no files, no checksums; one core.

    python benchmarks/lda_kernels.py                                     a made-up corpus, a table for 100 to 100,000 topics
    python benchmarks/lda_kernels.py --docword docword.txt.gz --json     a UCI bag of words
    python benchmarks/lda_kernels.py --topics 1000 --grid 16x16 --repeat 10

A token counts once for both visits (of its word and of its document). Times are CPU seconds of this process, of rounds after
the warming ones; the best of several rounds says what the code can do, the median what a machine with neighbours gave.

What was predicted, and what came out: package descriptions, 2,002,969 tokens of 50,345 words, alpha sum 50; one core of a virtual
machine (Sapphire Rapids, nominally 2.3 GHz) with busy neighbours, so that compared variants took turns in one process.

- Predicted by counting instructions: some 35 cycles per token and visit, 30 to 40 M tokens/s for both.
- First version, group after group, "a if chance else b" in the source: 16 M busy, 23 M quiet. The compiler made branches of
  these choices, and half of the outcomes cannot be predicted. Fetching tokens in batches of 4,096 and drawing their random
  numbers in one vectorised loop: x 1.25. Choosing by a shift instead of a branch: x 1.4 more.
- Of the remaining 24 ns a token (both visits, 2x2, quiet): fetching and storing 8, random numbers 3, acceptance 8, counting and
  proposals 5.
- Predicted to help, but no gain beyond the noise (some 10 %): smaller batches; the count, the total and the new total of a topic
  side by side in memory; huge pages; totals converted to float64 once per visit; one list of places for fetching and storing.
- Came out (median of rounds 4 to 11; quiet): 43, 45, 46 and 34 M at 100, 1,000, 10,000 and 100,000 topics; busy: 36, 29, 32, 22.
  At 100,000 topics the first rounds are the slowest, since topics are still scattered over more memory than is near: after 60
  rounds, busy, both 1,000 and 100,000 topics give 28 to 30 M.
- 20 M tokens (the same ten times) on a grid of 16x16: 48 M at 1,000 and 31 to 37 M at 100,000 topics, where 8x8, measured in
  turns with it, gave 20 to 26 M: a block of documents should hold about a million tokens, so that its pairs stay in nearer caches.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from regrow.models.lda.training import starting_kernels, visits
from regrow.models.lda.training.packing import Packing, steady
from regrow.models.lda.training.priors import Priors

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from models.lda.corpus import Layouts, grid_of

BETA, ALPHA_SUM = 0.01, 50.0


def made_up(tokens: int) -> tuple[Any, Any, int]:
    """Documents of 5 to 100 words of a Zipf distribution over 50,000: words [N], lengths [D], number of words."""
    random = np.random.default_rng(1)
    lengths = random.integers(5, 65, tokens // 34)
    p = np.cumsum(1 / np.arange(1, 50_001))
    return np.searchsorted(p, random.random(int(lengths.sum())) * p[-1]).astype(np.int64), lengths, 50_000


def read_docword(path: str) -> tuple[Any, Any, int]:
    """A UCI bag of words: three header lines, then `document word count`, 1-based, documents ascending."""
    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
        documents, words, _ = (int(file.readline()) for _ in range(3))
        triples = np.array(file.read().split(), np.int64).reshape(-1, 3)
    return np.repeat(triples[:, 1] - 1, triples[:, 2]), np.bincount(triples[:, 0] - 1, triples[:, 2], documents).astype(np.int64), words


class Rounds:
    """A corpus in training, all partitions in this process."""

    def __init__(self, layouts: Layouts, topics: int, words: int) -> None:
        self.rows, self.columns = ([{k: steady(v) for k, v in part.items()} for part in layouts[name]] for name in ("rows", "columns"))
        self.packing, self.round, self.topics, self.vocabulary = Packing(topics), 0, topics, words
        self.totals, self.priors = np.ones(topics, np.int32), Priors(ALPHA_SUM / topics, BETA, topics)
        self.pairs = [np.empty(part["cell"].size, self.packing.pair) for part in self.rows]
        sizes, key = [np.diff(part["slices"].astype(np.int64), axis=1).sum(axis=0) for part in self.columns], np.uint64(7)
        rarest = max(2.0, 2.0 * sum(part["doc_ptr"].size - 1 for part in self.rows) / topics)
        for r, (part, pairs) in enumerate(zip(self.rows, self.pairs, strict=True)):
            minima = np.full((part["doc_ptr"].size - 1, starting_kernels.HASHES), 2.0, np.float32)
            for column, own in zip(self.columns, sizes, strict=True):
                documents = column["documents"][column["row_ptr"][r] : column["row_ptr"][r + 1]]
                starting_kernels.minima_of_documents(column["words"], own, column["slices"][r], documents, rarest, key, minima)
            first = (int(part["first_token"][0]), int(part["first_document"][0]))
            starting_kernels.minhash_pairs(pairs, self.packing.half, topics, *first, part["doc_ptr"], part["cell"], minima, key)

    def next(self) -> tuple[float, float]:
        """One round. Returns the CPU seconds of the visits of documents and of words."""
        self.round += 1
        keys = np.array([4 * self.round + i for i in range(3)], np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        start = time.process_time()
        lists = [
            visits.visit_documents(part, pairs, visits.Known(self.totals, self.vocabulary), self.priors, keys[0])
            for part, pairs in zip(self.rows, self.pairs, strict=True)
        ]
        seconds_documents = time.process_time() - start
        totals = np.sum([own.totals for own in lists], axis=0, dtype=np.int32)
        places = exchanged([own.places for own in lists], [part["cell_ptr"] for part in self.rows])
        start = time.process_time()
        blocks, fresh = [], []
        for part, own in zip(self.columns, places, strict=True):
            cells = np.split(own, part["row_ptr"][1:-1])
            inbox = [{"blocks": row.blocks, "entries": row.entries, "places": cell} for row, cell in zip(lists, cells, strict=True)]
            words = visits.Words(part, inbox, self.topics)
            fresh.append(words.visit(visits.Known(totals, self.vocabulary), self.priors, keys[1]))
            blocks.append(words.pairs(BETA, keys[2]))
        seconds_words = time.process_time() - start
        self.totals = np.sum(fresh, axis=0, dtype=np.int32)
        self.pairs = exchanged(blocks, [part["row_ptr"] for part in self.columns])
        return seconds_documents, seconds_words


def exchanged(blocks: list[Any], bounds: list[Any]) -> list[Any]:
    """Cells of each block, put together the other way."""
    both = list(zip(blocks, bounds, strict=True))
    return [np.concatenate([block[bound[i] : bound[i + 1]] for block, bound in both]) for i in range(len(bounds[0]) - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docword", help="a UCI bag of words, .gz or not; without it a corpus is made up")
    parser.add_argument("--tokens", type=int, default=2_000_000, help="of the made-up corpus")
    parser.add_argument("--repeat", type=int, default=1, help="take the corpus so many times")
    parser.add_argument("--topics", type=int, nargs="+", default=[100, 1000, 10_000, 100_000])
    parser.add_argument("--grid", default="2x2", help="rows x columns")
    parser.add_argument("--warm", type=int, default=30, help="rounds before those that are measured")
    parser.add_argument("--rounds", type=int, default=8, help="rounds that are measured")
    parser.add_argument("--json", action="store_true", help="one object per line")
    args = parser.parse_args()
    words, lengths, n_words = read_docword(args.docword) if args.docword else made_up(args.tokens)
    layouts = grid_of(np.tile(words, args.repeat), np.tile(lengths, args.repeat), n_words, *map(int, args.grid.split("x")))
    millions = len(words) * args.repeat / 1e6
    if not args.json:
        print(f"{millions:.1f} M tokens, grid {args.grid}; M tokens per CPU-second: median (best)")
        print(f"{'topics':>8} {'documents':>15} {'words':>15} {'both':>15}")
    for topics in args.topics:
        rounds = Rounds(layouts, topics, n_words)
        seconds = np.array([rounds.next() for _ in range(args.warm + args.rounds)])[args.warm :]
        seconds = np.column_stack([seconds, seconds.sum(axis=1)])
        median, best = millions / np.median(seconds, axis=0), millions / seconds.min(axis=0)
        if args.json:
            record: dict[str, Any] = {"topics": topics, "tokens": round(millions * 1e6), "grid": args.grid}
            for i, name in enumerate(("documents", "words", "both")):
                record |= {name: round(median[i], 2), f"{name}_best": round(best[i], 2)}
            print(json.dumps(record), flush=True)
        else:
            print(f"{topics:>8,}", *(f"{m:>8.1f} ({b:4.1f})" for m, b in zip(median, best, strict=True)), flush=True)


if __name__ == "__main__":
    main()
