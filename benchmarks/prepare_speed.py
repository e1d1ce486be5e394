"""How fast text becomes the grid, on one core, in memory: `python benchmarks/prepare_speed.py FILES... [--text-field F] [--json]`.

Reads the files, cuts them into words and lays them out, as `regrow lda train` does before its first round, without
writing artifacts. MB are 10^6 bytes of text (decompressed input; for tables all columns, wanted or not). The first run
compiles kernels; it is done on a few lines, and not counted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from reference import Reference
from regrow.data import Grid, TextOptions, default_grid, describe, ingest, tokens_program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--text-field")
    parser.add_argument("--vocab")
    parser.add_argument("--token-pattern")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    options = TextOptions(text_field=given.text_field, vocabulary=given.vocab, token_pattern=given.token_pattern)
    figures = measure(given.files, options)
    if given.json:
        print(json.dumps(figures))
        return
    print(
        f"{figures['bytes_text'] / 1e6:,.1f} MB of text, {figures['tokens']:,} tokens, {figures['words']:,} words, {figures['parts']} parts"
    )
    for step in ("ingest", "tokens", "grid", "all"):
        print(f"{step:8} {figures[f'{step}_seconds']:8.3f} CPU-s {figures[f'{step}_mb_per_second']:9.1f} MB/s")


def measure(files: list[str], options: TextOptions) -> dict[str, Any]:
    """CPU seconds of this process (all threads), step by step."""
    source = describe(files, options)
    tokens_program(source, options).warm()
    Grid(1, 1).warm()
    clock = time.process_time
    layouts: dict[str, list[Any]] = {}
    times = [clock()]
    facts = ingest(source, lambda layout, index, arrays: layouts.setdefault(layout, []).append(arrays))
    times.append(clock())
    tokens = Reference(tokens_program(source, options, facts.bytes_text), layouts).run()
    times.append(clock())
    grid = Grid(*default_grid(int(tokens.metrics["tokens"])))
    Reference(grid, {"tokens": tokens["tokens"], "vocabulary": tokens["vocabulary"]}).run()
    times.append(clock())
    figures: dict[str, Any] = {"bytes_text": facts.bytes_text, "parts": facts.parts, **tokens.metrics}
    steps = {"ingest": times[1] - times[0], "tokens": times[2] - times[1], "grid": times[3] - times[2], "all": times[3] - times[0]}
    for step, seconds in steps.items():
        figures[f"{step}_seconds"] = round(seconds, 4)
        figures[f"{step}_mb_per_second"] = round(facts.bytes_text / 1e6 / seconds, 1)
    return figures


if __name__ == "__main__":
    main()
