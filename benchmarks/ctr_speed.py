"""How fast, how big: clicks as a whole job, files, checksums and coordination included; the kernel alone; and reading.

    python benchmarks/ctr_speed.py [--rows 20000000] [--fields 39] [--features 1000000] [--workers 2] [--folder DIR] [--json OUT.json]

    kernel      gradients and folding of rounds of 32,768 generated examples in this process, one core: M examples/s
    reading     a part of tsv, of Criteo's form and of libsvm into rows and a dictionary, one core: MB/s, and M values/s; scikit-learn's
                loader beside it. Values of the tsv are short: 3.7 bytes with their tabs, of which a fifth is new to the part
    job         `regrow ctr train` of a tsv file of so many generated rows, with all that is between the kernels: files, checksums, commits,
                the coordinator. From prepared data: examples / training's wall-clock / workers, and / CPU-seconds of all processes; with
                preparing: examples / (preparing + training) / workers. Beside them the share of the kernel

Values of fields are Zipf: few are frequent, most are rare. The file is kept in --folder, and used again if it is there.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regrow.data.clicks.plan import Item, Plan
from regrow.data.clicks.registry import click_format
from regrow.data.clicks.round_kernels import block_ids
from regrow.data.clicks.table_kernels import BINNED, CATEGORY
from regrow.data.readonly import read_only
from regrow.models.logistic import kernels
from regrow.packed import strings
from regrow.program import Fixed

BLOCK = 500_000


def values(rows: int, fields: int, features: int, seed: int) -> list[Any]:
    """Numbers of values of each field: Zipf over features / fields of them; fields differ in size."""
    chance = np.random.default_rng(seed)
    found = []
    for field in range(fields):
        size = max(2, int(features / fields * 2 * (field + 1) / (fields + 1)))
        found.append(np.minimum(size - 1, np.exp(chance.random(rows) * np.log(size)).astype(np.int64) - 1))
    return found


def labels(columns: Sequence[Any], seed: int) -> Any:
    """Clicks by effects of the values."""
    chance = np.random.default_rng(seed)
    score = np.full(len(columns[0]), -2.0)
    for column in columns[:8]:
        score += np.random.default_rng(7).normal(0, 0.4, 1 << 16)[column & 0xFFFF]
    return (chance.random(len(score)) < 1 / (1 + np.exp(-score))).astype(np.int8)


def write_tsv(path: Path, rows: int, fields: int, features: int) -> None:
    """A table with a header, written block by block."""
    import pyarrow as pa
    import pyarrow.csv as pc

    names = ["click", *(f"f{i}" for i in range(fields))]
    aside = path.with_suffix(".new")
    with open(aside, "wb") as file:
        file.write(("\t".join(names) + "\n").encode())
        for start in range(0, rows, BLOCK):
            columns = values(min(BLOCK, rows - start), fields, features, start)
            table = pa.table([pa.array(column) for column in (labels(columns, start + 1), *columns)], names=names)
            pc.write_csv(table, file, pc.WriteOptions(include_header=False, delimiter="\t", quoting_style="none"))
    aside.rename(path)


def kernel_speed(fields: int, features: int, rounds: int = 12) -> float:
    """Examples per CPU-second of gradients and folding, in rounds of four stretches; laying out is not counted."""
    size = 32_768
    zn = read_only(np.zeros((features + 1, 1, 2), np.float32))
    rates = np.array([[[0.1, 1.0, 0.0, 0.0]]])
    none, no_field = read_only(np.empty(0, np.float32)), read_only(np.empty(0, np.int32))
    spent = 0.0
    for round in range(rounds):
        columns = values(size, fields, features, round)
        base = np.cumsum([1] + [int(column.max()) + 1 for column in columns[:-1]])
        ids = np.stack([column + first for column, first in zip(columns, base, strict=True)], axis=1)
        label = labels(columns, round)
        lists, gradients = [], []
        for part in range(4):
            mine = np.ascontiguousarray(ids[size * part // 4 : size * (part + 1) // 4]).ravel()
            index = np.empty(len(mine), np.uint32)
            distinct = block_ids(mine, index).astype(np.int32)
            index = read_only(index.astype(np.uint16) if len(distinct) <= 65536 else index)
            y = read_only(label[size * part // 4 : size * (part + 1) // 4].astype(np.uint8))
            ptr = read_only(np.arange(0, len(mine) + 1, fields))
            losses, scores = np.empty((len(y), 1)), np.empty((len(y), 1))
            began = time.process_time()
            w, g = np.empty((len(distinct), 1), np.float32), np.zeros((len(distinct), 1))
            nothing = np.empty(0, np.int32), np.empty((0, 1, 2), np.float32)
            kernels.answers(read_only(distinct), zn, *nothing, no_field, rates, True, w)
            kernels.gradients(ptr, index, none, y, none, read_only(w), g, losses, scores)
            spent += time.process_time() - began if round > 1 else 0.0
            lists.append(distinct)
            gradients.append(g)
        began = time.process_time()
        rows, ptr = read_only(np.concatenate(lists)), np.cumsum([0] + [len(own) for own in lists])
        touched = kernels.union(rows, ptr)
        place = kernels.places(touched, len(zn))
        fresh = np.empty((len(touched), 1, 2), np.float32)
        kernels.fold(rows, ptr, read_only(np.concatenate(gradients)), zn, no_field, rates, True, touched, place, fresh)
        state = np.array(zn) if round == 0 else state  # noqa: F821 - made in the first round
        state[touched] = fresh
        spent += time.process_time() - began if round > 1 else 0.0
        zn = read_only(state)
    return (rounds - 2) * size / spent


def reading_speed(fields: int, features: int, rows: int = 40_000) -> dict[str, float]:
    """MB per CPU-second of parsing with the dictionary of a part."""
    columns = values(rows, fields, features, 3)
    label = labels(columns, 4)
    lines = ["\t".join(map(str, row)) for row in zip(label, *columns, strict=True)]
    tsv = ("\n".join(lines) + "\n").encode()
    base = np.cumsum([1] + [int(column.max()) + 1 for column in columns[:-1]])
    moved = [column + first for column, first in zip(columns, base, strict=True)]
    libsvm = "".join(f"{y} " + " ".join(f"{id}:1" for id in row) + "\n" for y, *row in zip(label, *moved, strict=True)).encode()
    plan = Plan(("y", *(f"f{i}" for i in range(fields))), tuple(Item(f"f{i}", 0, (i + 1,)) for i in range(fields)), 0)
    names = ("label", *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27)))
    hexes = [[f"{(id * 2654435761 + 40503 * i) & 0xFFFFFFFF:08x}" for id in column] for i, column in enumerate(columns[:26])]
    counts = [np.minimum(column, 999) for column in columns[-13:]]
    lines = ["\t".join(map(str, row)) for row in zip(label, *counts, *hexes, strict=True)]
    criteo = ("\n".join(lines) + "\n").encode()
    binned = tuple(Item(name, BINNED if i < 13 else CATEGORY, (i + 1,)) for i, name in enumerate(names[1:]))
    found = {}
    for name, text, own in (("tsv", tsv, plan), ("criteo", criteo, Plan(names, binned, 0)), ("libsvm", libsvm, Plan((), ()))):
        part = Fixed({"text": np.frombuffer(text, np.uint8), "source": np.array([0, 1]), "file": strings(["x"])})
        times = []
        for _ in range(5):
            began = time.process_time()
            click_format(name).rows(part, own, needs_label=True, skip=False)
            times.append(time.process_time() - began)
        found[name] = len(text) / min(times[1:]) / 1e6
        found[f"{name}, M values/s"] = 39 * rows / min(times[1:]) / 1e6
    from sklearn.datasets import load_svmlight_file

    began = time.process_time()
    load_svmlight_file(io.BytesIO(libsvm))
    found["libsvm, scikit-learn"] = len(libsvm) / (time.process_time() - began) / 1e6
    return found


def job(path: Path, workers: int, folder: Path) -> dict[str, Any]:
    """One run in a process of its own; its summary."""
    command = [sys.executable, "-m", "regrow.cli.main", "ctr", "train", str(path), "--label", "click", "--workers", str(workers)]
    command += ["--run", str(folder / "run"), "--overwrite", "--no-cache", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"exit {ended.returncode}\n{ended.stderr}")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--fields", type=int, default=39)
    parser.add_argument("--features", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json")
    given = parser.parse_args()
    if given.folder:
        given.folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"kernel, M examples/s": kernel_speed(given.fields, given.features) / 1e6}
    print(f"kernel   {found['kernel, M examples/s']:.2f} M examples/s, {given.fields} fields, {given.features:,} features", flush=True)
    found["reading, MB/s"] = reading_speed(given.fields, given.features)
    print("reading, MB/s  " + ", ".join(f"{name} {speed:.0f}" for name, speed in found["reading, MB/s"].items()), flush=True)
    if given.rows:
        with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
            path = (given.folder or Path(scratch)) / f"clicks-{given.rows}x{given.fields}.tsv"
            if not path.exists():
                write_tsv(path, given.rows, given.fields, given.features)
            summary = job(path, given.workers, Path(scratch))
            size = path.stat().st_size
        found["job"] = {name: value for name, value in summary.items() if name != "history"} | {"bytes": size}
        kernel, train, prepare = found["kernel, M examples/s"], summary["train_seconds"], summary["prepare_seconds"]
        for what, seconds in (
            ("from prepared data, a worker", train * given.workers),
            ("from prepared data, a CPU-second", summary["cpu_seconds"]),
            ("with preparing, a worker", (prepare + train) * given.workers),
        ):
            rate = given.rows / seconds / 1e6
            found[f"job {what}, M examples/s"] = rate
            print(f"job      {rate:.2f} M examples/s {what}: {rate / kernel:.2f} of the kernel")
        print(f"         train {train:.1f} s, prepare {prepare:.1f} s ({size / prepare / 1e6:.0f} MB/s of {size / 1e6:,.0f} MB), "
              f"{given.workers} workers, peak {summary['peak_memory_bytes'] / 2**20:,.0f} MiB")  # fmt: skip
    if given.json:
        Path(given.json).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
