"""Generated clicks with a known truth: ads in advertisers in categories, and contexts. Zipf: most ads are rare.

    python benchmarks/ctr_generated.py clicks.csv new.csv [--rows 200000] [--ads 60000]

    log odds = base + category + advertiser + ad + context, each effect drawn once; the click is drawn from that

The truth is hierarchical by construction, so what sharing gains here is an upper bound of what it gains elsewhere.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Clicks", "generate", "write_csv"]

COLUMNS = ("ad", "advertiser", "category", "position", "hour", "site")


class Clicks:
    """Rows as numbers: columns [name] int64 [N], label uint8 [N], p float64 [N]: the chance by which the click was drawn."""

    def __init__(self, columns: dict[str, Any], label: Any, p: Any) -> None:
        self.columns, self.label, self.p = columns, label, p

    def __len__(self) -> int:
        return len(self.label)

    def part(self, start: int, end: int) -> Clicks:
        """Rows start:end."""
        return Clicks({name: column[start:end] for name, column in self.columns.items()}, self.label[start:end], self.p[start:end])


def generate(rows: int, ads: int = 600_000, seed: int = 1, spread: float = 0.5, ads_per_advertiser: int = 30) -> Clicks:
    """Rows of `ads` ads, of which the k-th most frequent has a share of 1 / k. spread: of each level's effects."""
    chance = np.random.default_rng(seed)
    advertisers, categories = max(2, ads // ads_per_advertiser), max(2, ads // 3000)
    ad = np.minimum(ads - 1, np.exp(chance.random(rows) * np.log(ads)).astype(np.int64) - 1)
    ad = chance.permutation(ads)[ad]  # numbers say nothing of frequency
    advertiser_of = np.minimum(advertisers - 1, (advertisers * chance.random(ads) ** 2).astype(np.int64))
    category_of = chance.integers(0, categories, advertisers)
    columns = {"ad": ad, "advertiser": advertiser_of[ad], "category": category_of[advertiser_of[ad]]}
    columns |= {"position": chance.integers(0, 4, rows), "hour": chance.integers(0, 24, rows), "site": chance.integers(0, 500, rows)}
    score = np.full(rows, -2.0)
    for name, size in (("ad", ads), ("advertiser", advertisers), ("category", categories), ("position", 4), ("hour", 24), ("site", 500)):
        score += chance.normal(0, spread if name in ("ad", "advertiser", "category") else 0.3, size)[columns[name]]
    p = 1 / (1 + np.exp(-score))
    return Clicks(columns, (chance.random(rows) < p).astype(np.uint8), p)


def write_csv(path: Path, clicks: Clicks) -> None:
    """A table with a header: click, and the columns."""
    import pyarrow as pa
    import pyarrow.csv as pc

    letters = {name: name[0] if name != "advertiser" else "v" for name in COLUMNS}
    table = {"click": clicks.label, **{name: clicks.columns[name] for name in COLUMNS}}
    arrow = {"click": pa.array(table["click"])}
    for name in COLUMNS:
        numbers = pa.array(table[name]).cast(pa.string())
        arrow[name] = pa.compute.binary_join_element_wise(letters[name], numbers, "")
    pc.write_csv(pa.table(arrow), path, pc.WriteOptions(quoting_style="none"))


def main() -> None:
    """Write a file to train on, and one a tenth as long to measure on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--ads", type=int, default=60_000)
    given = parser.parse_args()
    clicks = generate(given.rows * 11 // 10, given.ads)
    write_csv(given.train, clicks.part(0, given.rows))
    write_csv(given.test, clicks.part(given.rows, len(clicks)))


if __name__ == "__main__":
    main()
