"""Two small topic models, and a service of the first one that tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.services import Service, topics_run


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs `first` and `second`, and a cache."""
    folder = tmp_path_factory.mktemp("serving")
    (folder / "cache").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        topics_run(folder, "first", 1)
        topics_run(folder, "second", 2)
    return folder


@pytest.fixture(scope="session")
def service(place: Path) -> Iterator[Service]:
    """Three replicas of `first`."""
    made = Service(place / "first", "--replicas", 3, cache=place / "cache")
    yield made
    if made.process.poll() is None:
        made.end()
