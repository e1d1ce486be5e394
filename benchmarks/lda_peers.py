"""Held-out perplexity against CPU time, and by how frequent words are: regrow beside tomotopy, gensim and scikit-learn.

    python benchmarks/lda_peers.py --data DIR [--topics 100] [--budget 60] [--json OUT.json] [--png OUT.png]
                                   [--peers regrow,tomotopy,gensim,scikit-learn] [--set gensim.chunksize=4000]

DIR: a bag of words with held-out documents, or tables of text; see `lda_peers_corpus.py`. Everybody gets the same tokens, one worker
in a process of its own, one after the other, and so many CPU-seconds of training; everybody's topics are scored by the same
evaluator with their own alpha (`lda_peers_evaluator.py`). How each is set is in `lda_peers_contestants.py`, and printed; --set changes it.
Curves of other programs that DIR has stand beside them, by a score of their own (`lda_peers_recorded.py`).
Single chains: differences of 1 to 2 % say nothing.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lda_peers_contestants import CONTESTANTS
from lda_peers_corpus import read_corpus
from lda_peers_recorded import SECOND, beside, read_recorded, show_recorded
from lda_peers_tables import Results, compare, show

PEERS = list(dict.fromkeys(contestant.peer for contestant in CONTESTANTS.values()))
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    load = round(os.getloadavg()[0], 2)
    return {"processor": model, "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(), "load": load}


def compete(name: str, corpus: Path, order: dict[str, Any], scratch: Path) -> Results:
    """Train one contestant in a process of its own: settings, version and checkpoints, or what went wrong."""
    about = scratch / "order.json"
    about.write_text(json.dumps(order))
    command = [sys.executable, str(Path(__file__).parent / "lda_peers_contestants.py"), name, str(corpus), str(about)]
    with open(scratch / "stderr", "w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | ONE_THREAD)
        assert process.stdout
        found: Results = {"checkpoints": []}
        for line in process.stdout:
            told = json.loads(line)
            if "settings" in told:
                found |= told
                print(f"\n{name} {told['version']}: {', '.join(f'{key}={value}' for key, value in told['settings'].items())}")
                print(f"    {told['note']}", flush=True)
            else:
                found["checkpoints"].append(told)
                second = f", the recorded way {told[SECOND]:,.1f}" if SECOND in told else ""
                line = f"{told['cpu_seconds']:8.2f} CPU-s {told['iterations']:8g} iterations {told['perplexity']:10.1f}{second}"
                print(f"    {line}", flush=True)
        if process.wait():
            errors.seek(0)
            found["error"] = errors.read().strip()
            print("\n".join([f"    {name} failed:", *found["error"].splitlines()[-8:]]), flush=True)
    return found


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--topics", type=int, default=100)
    parser.add_argument("--alpha-sum", type=float, default=5.0, help="of those who do not learn it, and where others begin")
    parser.add_argument("--budget", type=float, default=60.0, help="CPU-seconds of training for each")
    parser.add_argument("--checkpoints", type=int, default=7, help="each after twice the time of the one before")
    parser.add_argument("--peers", default=",".join(PEERS), help="who takes part: %(default)s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="PEER.NAME=VALUE", help="another setting of a peer")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--png", type=Path)
    given = parser.parse_args()
    given.peers = given.peers.split(",")
    for peer in given.peers:
        if peer not in PEERS:
            parser.error(f"--peers {peer}: there are {', '.join(PEERS)}")
    given.settings = {}
    for setting in given.set:
        (peer, dot, name), (_, equals, value) = setting.partition("=")[0].partition("."), setting.partition("=")
        if peer not in PEERS or not dot or not equals:
            parser.error(f"--set {setting}: PEER.NAME=VALUE, where peers are {', '.join(PEERS)}")
        given.settings.setdefault(peer, {})[name] = literal(value)
    if given.png and importlib.util.find_spec("matplotlib") is None:
        parser.error("--png takes matplotlib: pip install 'regrow[plot]'")
    return given


def literal(text: str) -> Any:
    """A number, True, None and so on, or else the text."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def main() -> None:
    """Everybody's turn, the tables, the files."""
    given = options()
    order = {name: getattr(given, name) for name in ("topics", "alpha_sum", "budget", "checkpoints", "seed", "settings")}
    with tempfile.TemporaryDirectory(prefix="regrow-peers-") as folder:
        scratch = Path(folder)
        os.environ["XDG_CACHE_HOME"] = folder
        corpus = read_corpus(given.data, scratch)
        corpus.save(scratch / "corpus.npz")
        curves = read_recorded(given.data, corpus, given.topics, given.alpha_sum)
        results: Results = {**order, "machine": machine(), "corpus": {"name": given.data.resolve().name, **corpus.facts()}}
        print(", ".join(f"{name}: {value}" for name, value in (results["corpus"] | results["machine"]).items()))
        print(f"{given.topics:,} topics, {given.budget:g} CPU-seconds each, alpha sum {given.alpha_sum:g}, seed {given.seed}", flush=True)
        results["contestants"], results["skipped"] = {}, {}
        for name, contestant in CONTESTANTS.items():
            if contestant.peer not in given.peers:
                continue
            if importlib.util.find_spec(contestant.module) is None:
                results["skipped"][name] = f"{contestant.peer} is not installed: pip install {contestant.peer}"
                print(f"\n{name} is skipped: {results['skipped'][name]}", flush=True)
                continue
            results["contestants"][name] = compete(name, scratch / "corpus.npz", order, scratch)
    if not any(each["checkpoints"] for each in results["contestants"].values()):
        sys.exit("nobody got to a checkpoint")
    results["compared"] = compare(results["contestants"], given.budget, given.checkpoints)
    show(results)
    if curves:
        results["recorded"] = beside(results["contestants"], curves, corpus, given.alpha_sum)
        show_recorded(results)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")
    if given.png:
        from lda_peers_picture import draw

        draw(given.png, results)
    sys.exit(any("error" in each for each in results["contestants"].values()))


if __name__ == "__main__":
    main()
