"""A page of the documentation as a reader follows it: files as it shows them, commands one after the other, what they print.

```text NAME, ```python NAME    a file; one that begins with an indented line goes on with the class at the end of that file
```console                      commands after "$ "; what follows are lines that they print, where "..." stands for anything.
                                "# ends with exit code N" behind a command says so
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from shell import Ended, Shell

__all__ = ["follow"]

FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.M | re.S)
EXIT = re.compile(r"# ends with exit code (\d+)")


@dataclass
class Command:
    """One command of a page."""

    words: list[str]
    code: int = 0
    prints: list[str] = field(default_factory=list)


def commands(block: str) -> Iterator[Command]:
    """The commands of a console block."""
    found: list[Command] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            code = EXIT.search(line)
            found.append(Command(shlex.split(line[2:], comments=True), int(code[1]) if code else 0))
        elif line.strip():
            found[-1].prints.append(line)
    yield from found


def follow(page: str, shell: Shell) -> None:
    """Write the files of a page into the shell's folder, and run its commands there."""
    for kind, name, body in FENCE.findall(page):
        if kind == "console":
            for command in commands(body):
                run(command, shell)
        else:
            assert name, f"a block without a file name is run by nobody:\n{body}"
            file = shell.folder / name
            file.write_text(file.read_text() + "\n" + body if body.startswith(" ") else body)


def run(command: Command, shell: Shell) -> None:
    """Run it, and compare what it prints."""
    program, *words = command.words
    if program == "regrow":
        plain = words[0] == "run" and not {"--preempt", "--engine"} & set(words)
        ended = shell(*words, *(["--engine", "inline"] if plain else []))  # a second sooner, and the same
    else:
        done = subprocess.run([sys.executable, *words], cwd=shell.folder, capture_output=True, text=True, timeout=600, check=False)
        ended = Ended(done.returncode, done.stdout, done.stderr)
    said = f"{shlex.join(command.words)}\n{ended.out}{ended.err}"
    assert ended.code == command.code, said
    lines = (ended.out + ended.err).splitlines()
    for wanted in command.prints:
        pattern = ".*".join(re.escape(piece) for piece in wanted.split("..."))
        assert any(re.fullmatch(pattern, line) for line in lines), f"no line like {wanted!r}:\n{said}"
