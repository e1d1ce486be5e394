"""What users see: the public names, and how soon the command answers."""

from __future__ import annotations

import subprocess
import sys

import regrow

PUBLIC = [
    "LDA",
    "Data",
    "Hedge",
    "LogisticRegression",
    "Message",
    "PageRank",
    "Partition",
    "Program",
    "Results",
    "Role",
    "Roles",
    "Run",
    "Strings",
    "TruncatedSVD",
    "connected_components",
    "first",
    "first_sync",
    "hash64",
    "run",
    "strings",
]


def test_the_public_names_are_these() -> None:
    assert regrow.__all__ == PUBLIC, "a public name is a promise: add it here and to the CHANGELOG, or keep it private"
    for name in PUBLIC:
        assert getattr(regrow, name) is not None


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['regrow', '--help']\n"
        "import regrow.cli.main as cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'numba', 'pyarrow', 'safetensors', 'scipy', 'ray'} & set(sys.modules)\n"
        "sys.exit(f'--help imports {heavy}: import it where it is used' if heavy else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_importing_regrow_loads_no_heavy_library() -> None:
    code = "import sys, regrow; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
