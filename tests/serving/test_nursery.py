"""The nursery: one that says nothing any more is replaced, and that is said."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from regrow.errors import DataError
from regrow.serving import nursery
from regrow.serving.nursery import Nursery

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("tried", [False, True])
def test_a_nursery_that_says_nothing_is_killed_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried: bool) -> None:
    monkeypatch.setattr(nursery, "TRY_SECONDS", 0.05)
    monkeypatch.setattr(nursery, "FORK_SECONDS", 0.05)

    async def scene() -> None:
        silent = Nursery(str(tmp_path), {})
        silent._process = process = await asyncio.create_subprocess_exec("sleep", "3600")
        silent._control, other = socket.socketpair(type=socket.SOCK_SEQPACKET)
        silent._control.setblocking(False)
        silent._tried = tried
        with other:
            with pytest.raises(DataError, match="has said nothing"):
                await silent.fork("replica-1", ["tables"])
            assert process.returncode is not None, "it is gone"
            assert silent._process is None, "so the next one starts another"

    asyncio.run(scene())
