"""How the examples end: a program is run in this process, then on two workers of which one is killed again and again; then compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import regrow


def write_parts(folder: str, lines: Iterable[str], parts: int) -> list[str]:
    """Lines in so many files: each file is a part of the layout "text", and so a partition of the role that reads it."""
    every = list(lines)
    names = []
    for part in range(parts):
        own = every[len(every) * part // parts : len(every) * (part + 1) // parts]
        names.append(str(Path(folder) / f"part-{part}.txt"))
        Path(names[-1]).write_text("".join(f"{line}\n" for line in own), encoding="utf-8")
    return names


def run_twice(program: regrow.Program, files: Sequence[str], kill_every_seconds: float = 0.4) -> regrow.Run:
    """Run it quietly and under fire, print what it found, and say whether both runs made the same bytes.

    On a fast machine a worker is killed more often than asked for: three times within the time that the quiet run took.
    """
    quiet = regrow.run(program, files, engine="inline", verify=False)
    every = min(kill_every_seconds, max(quiet.summary["train_seconds"] / 3, 0.002))
    fire = regrow.run(program, files, workers=2, preempt=every, verify=False)
    print(program.report(quiet.model))
    print(f"\nquietly                      {quiet.digest}")
    print(f"{_under_fire(fire):28} {fire.digest}")
    if quiet.digest != fire.digest:
        raise SystemExit("THEY DIFFER: this is a fault of regrow")
    print("the same to the last byte")
    return quiet


def _under_fire(run: regrow.Run) -> str:
    lost = run.summary["workers_lost"]
    return f"{lost} worker{'s' if lost != 1 else ''} killed meanwhile"
