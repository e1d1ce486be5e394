"""Curves of programs that do not take part, recorded earlier, beside those of a run of `lda_peers.py`.

`peer-curves.json` in the folder of a corpus is a list of checkpoints: peer, topics, alpha_sum, iter, cpu (seconds), perplexity and
log_p_by_band. Taken are those of Mallet (sparse Gibbs sampling) and WarpLDA with the topics and the alpha sum of this run.

They were scored in a way of their own, so that they only ever stand beside the second score of everybody here
(`evaluate_recorded_way` in `lda_peers_evaluator.py`), which takes the folder's stored halves. Without those they are left aside.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from lda_peers_contestants import CONTESTANTS
from lda_peers_corpus import CURVES, Corpus
from lda_peers_tables import Results, number, reached, table

PROGRAMS = {"mallet": "Mallet, recorded", "warplda": "WarpLDA, recorded"}
FIELDS = ("peer", "topics", "alpha_sum", "iter", "cpu", "perplexity", "log_p_by_band")
SECOND, SECOND_BANDS = "perplexity_recorded_way", "log_p_by_band_recorded_way"
Curves = dict[str, list[Results]]


def read_recorded(folder: Path, corpus: Corpus, topics: int, alpha_sum: float) -> Curves:
    """The checkpoints of each program with these topics and this alpha sum, by CPU seconds; says so if there are others only."""
    path = folder / CURVES
    if not path.exists():
        return {}
    if not len(corpus.stored):
        print(f"{path} is left aside: heldout.npz has no stored halves, with which its curves were scored")
        return {}
    try:
        recorded = [{field: each[field] for field in FIELDS} for each in json.loads(path.read_text()) if each["peer"] in PROGRAMS]
    except (ValueError, TypeError, KeyError) as error:
        sys.exit(f"{path}: {error!r}; expected is a list of objects with {', '.join(FIELDS)}")
    recorded.sort(key=lambda each: each["cpu"])
    curves: Curves = {}
    for each in recorded:
        if (each["topics"], each["alpha_sum"]) == (topics, alpha_sum):
            curves.setdefault(PROGRAMS[each["peer"]], []).append(
                {"iterations": each["iter"], "cpu_seconds": each["cpu"], SECOND: each["perplexity"], SECOND_BANDS: each["log_p_by_band"]}
            )
    if not curves:
        there = sorted({(each["topics"], each["alpha_sum"]) for each in recorded})
        others = "; ".join(f"{k} and {a:g}" for k, a in there) or "no others"
        print(f"{path} has no curves with {topics} topics and alpha sum {alpha_sum:g}, but with {others}")
    return curves


def beside(contestants: Results, curves: Curves, corpus: Corpus, alpha_sum: float) -> Results:
    """The curves, notes on them, and for each recorded checkpoint how long regrow took to its perplexity.

    cpu_seconds is None where it was not reached; `at_most` says that it was reached before the first checkpoint, whose seconds it has.
    Who learned another alpha sum is not looked up: that alone makes perplexities lower, and the recorded programs kept theirs.
    """
    ran = {name: each["checkpoints"] for name, each in contestants.items() if CONTESTANTS[name].peer == "regrow"}
    ours = {name: points for name, points in ran.items() if points and math.isclose(points[-1]["alpha_sum"], alpha_sum, rel_tol=1e-6)}
    odd = int(np.count_nonzero(corpus.stored > corpus.observed + corpus.scored))
    notes = [
        "recorded curves were taken on another machine of a similar kind: one thread, CPU-seconds of training only",
        f"recorded programs kept an alpha sum of {alpha_sum:g}: whoever learned another has no ratio",
        "regrow's CPU-seconds are those of the whole job's training, files, checks and coordination included",
        "between checkpoints regrow is looked up on a straight line of logarithms",
        f"scored the recorded way: the stored halves as they are, though {odd:,} cells have more observed tokens than tokens; logs are "
        "summed over cells with tokens left and divided by what is left of all cells, so that these figures are higher than the others",
    ]
    reaching = {
        name: {program: [_reaching(points, checkpoint) for checkpoint in recorded] for program, recorded in curves.items()}
        for name, points in ours.items()
    }
    return {"notes": notes, "curves": curves, "regrow_to_the_same": reaching}


def _reaching(points: list[Results], checkpoint: Results) -> dict[str, Any]:
    seconds = reached(points, checkpoint[SECOND], SECOND)
    at_most = points[0][SECOND] <= checkpoint[SECOND]
    return {"cpu_seconds": seconds, "at_most": at_most, "ratio": None if seconds is None else checkpoint["cpu_seconds"] / seconds}


def show_recorded(results: Results) -> None:
    """Two tables: how long regrow took to each recorded checkpoint, and log p by band at everybody's last checkpoint."""
    curves, reaching = results["recorded"]["curves"], results["recorded"]["regrow_to_the_same"]
    lines = [("recorded checkpoint", "CPU-s", "perplexity", *(title for name in reaching for title in (f"{name}: CPU-s", "ratio")))]
    for program, recorded in curves.items():
        for i, point in enumerate(recorded):
            found = [cell for own in reaching.values() for cell in _cells(own[program][i])]
            lines.append((program, f"{point['cpu_seconds']:.2f}", f"{point[SECOND]:,.1f}", *found))
    print(f"\n{table(lines)}")
    print("ratio: CPU-seconds of the recorded one by those of regrow to the same perplexity; <=: there at its first checkpoint")
    ends = {name: each["checkpoints"][-1] for name, each in results["contestants"].items() if each["checkpoints"]}
    ends |= {program: recorded[-1] for program, recorded in curves.items()}
    lines = [("last checkpoint, scored the recorded way", *ends)]
    lines.append(("CPU-s", *(f"{end['cpu_seconds']:.2f}" for end in ends.values())))
    lines.append(("alpha sum", *(f"{end.get('alpha_sum', results['alpha_sum']):.3g}" for end in ends.values())))
    lines.append(("perplexity", *(f"{end[SECOND]:,.1f}" for end in ends.values())))
    for band in dict.fromkeys(band for end in ends.values() for band in end[SECOND_BANDS]):
        lines.append((f"log p a token, training count {band}", *(number(end[SECOND_BANDS].get(band), ".4f") for end in ends.values())))
    print(f"\n{table(lines)}")
    print("\n".join(results["recorded"]["notes"]))


def _cells(found: dict[str, Any]) -> tuple[str, str]:
    least, most = ("<= ", ">= ") if found["at_most"] else ("", "")
    return least + number(found["cpu_seconds"], ".2f"), most + number(found["ratio"], ".2f")
