"""The command `regrow` in a process of its own that notes every fsync, and whose disk may be full at the n-th link of a file."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from power import note_fsyncs

FULL = "REGROW_TEST_FULL_AT"


def fill_the_disk_at(nth: int) -> None:
    """From the n-th link on there is no room, for three of them."""
    real, calls = os.link, [0]

    def full(*names: Any, **options: Any) -> None:
        calls[0] += 1
        if nth <= calls[0] < nth + 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(names[-1]))
        real(*names, **options)

    os.link = full


if __name__ == "__main__":
    note_fsyncs()
    if os.environ.get(FULL):
        fill_the_disk_at(int(os.environ[FULL]))
    from regrow.cli.main import main

    sys.argv[0] = "regrow"
    main()
