"""Golden files: `REWRITE=1 pytest tests/coordinator` writes them anew; read the difference before you keep it."""

from __future__ import annotations

import os
from pathlib import Path


def agree(path: Path, found: str) -> None:
    """Hold a text against the file that is kept of it, or keep it."""
    if os.environ.get("REWRITE") == "1":
        path.write_text(found)
    assert path.read_text() == found, f"{path.name} is out of date; if the new text is right: REWRITE=1 pytest tests/coordinator"
