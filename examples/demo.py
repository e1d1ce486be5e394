"""`make demo`: learn topics from the docstrings on this machine, twice. Once quietly, once while workers are killed.

The first run has one worker and is left alone. The second has two, and one of them is killed every second. Then the two models
are compared, byte for byte.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from regrow.cli.shown import Lines
from regrow.data import TextOptions
from regrow.launch import Run, launch, shared_cache
from regrow.models.lda.estimator import read_topics, topics_spec
from regrow.models.lda.program import LDA
from regrow.spec import How
from regrow.story import read_story

FOLDER = Path("demo-runs")
VISITS = 600_000_000
"""Tokens x rounds: some twenty seconds of two cores."""
TOPICS = 50
KILL_EVERY_SECONDS = 1.0
KILLS_WANTED = 25
"""On a fast machine workers are killed more often, so that it comes to so many."""
LINES_SHOWN = 30
LETTERS = r"[^\W\d_]{2,}"
"""What a word is here: docstrings are full of numbers."""


def main() -> None:
    """The demo; ends with exit code 1 if the models differ."""
    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    text = FOLDER / "docstrings.txt"
    say("1. Text that every machine has: the docstrings of its Python modules")
    subprocess.run([sys.executable, str(Path(__file__).with_name("docstrings.py")), str(text)], check=True)

    rounds = max(100, VISITS // max(1, text.stat().st_size // 8))
    say(f"2. A quiet run: one worker, {TOPICS} topics, {rounds} rounds")
    quiet = train(text, rounds, "quiet", How("local", 1, cache=shared_cache()))
    print(read_topics(quiet.path).summary(topics=15, words=9))
    print(f"\n{quiet.summary['tokens']:,} tokens, {quiet.summary['train_seconds']:.1f} s")

    every = min(KILL_EVERY_SECONDS, quiet.summary["train_seconds"] / 2 / KILLS_WANTED)
    say(f"3. The same under fire: two workers, one of them killed every {every:.2g} s (words.11.0: role words, round 11, partition 0)")
    fire = train(text, rounds, "under-fire", How("local", 2, every, cache=shared_cache()))
    kills = tell_story(fire)
    cost = fire.summary
    print(
        f"\n{kills} workers killed, {cost['redone_seconds']:.1f} of {cost['cpu_seconds']:.1f} CPU-s redone; {cost['train_seconds']:.1f} s"
    )

    say("4. The two models")
    print(f"quiet       {quiet.digest}\nunder fire  {fire.digest}")
    same = quiet.digest == fire.digest
    print("the same to the last byte" if same else "THEY DIFFER: this is a fault of regrow")
    print(f"\n(the demo took {time.monotonic() - began:.0f} s; look around: .venv/bin/regrow lda topics {fire.path})")
    sys.exit(0 if same else 1)


def say(text: str) -> None:
    """A heading."""
    print(f"\n{text}\n", flush=True)


def train(text: Path, rounds: int, name: str, how: How) -> Run:
    """One run."""
    options = TextOptions(stop_words="english", token_pattern=LETTERS)
    spec = topics_spec([str(text)], LDA(TOPICS, rounds=rounds), options=options)
    return launch(spec, how, FOLDER / name, Lines())


def tell_story(run: Run) -> int:
    """Print what happened to the workers; returns how many were killed."""
    story = [line for line in read_story(run.path) if line.get("stage") == "training"]
    start = story[0]["time"]
    redone: dict[str, str] = {line["task"]: line["worker"] for line in story if line["event"] == "task redone"}
    kills = 0
    for line in story:
        if line["event"] == "worker lost":
            kills += 1
            attempt = line.get("attempt")
            task = attempt.rpartition(".")[0] if attempt else None
            what = (
                f"while it worked on {task}; {redone.get(task, 'another')} did that again"
                if task
                else "while it was idle; nothing was lost"
            )
            if kills <= LINES_SHOWN:
                print(f"  {line['time'] - start:6.1f} s  {line['worker']} {line['cause']} {what}")
    if kills > LINES_SHOWN:
        print(f"  ... and {kills - LINES_SHOWN} more: {run.path}/events.jsonl")
    return kills


if __name__ == "__main__":
    main()
