"""How much memory a process may take, where containers have limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from regrow.memory import memory_bytes


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("limited", ["a/b", "a", ""])
def test_the_nearest_limit_of_a_container_counts_in_both_versions_of_cgroups(tmp_path: Path, limited: str) -> None:
    for version, root, name, lines in (
        (2, "", "memory.max", "0::/a/b\n"),
        (1, "memory", "memory.limit_in_bytes", "9:name=systemd:/x\n4:cpu,memory:/a/b\n"),
    ):
        folder = tmp_path / f"version-{version}"
        own = written(folder / "own", lines)
        whole = memory_bytes(folder, own)
        written(folder / root / "a" / "b" / name, "max\n")
        assert memory_bytes(folder, own) == whole > 10**6
        written(folder / root / limited / name, "1000000\n")
        assert memory_bytes(folder, own) == 10**6


def test_without_limits_it_is_what_the_machine_has(tmp_path: Path) -> None:
    assert memory_bytes(tmp_path, tmp_path / "missing") > 10**6
