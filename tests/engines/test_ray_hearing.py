"""The engine `ray`, where the order matters in which it hears a worker and the host beside it: two connections keep none between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from regrow.engines.fleet import Host
from regrow.engines.ray_engine import RayEngine
from regrow.errors import RegrowError


@dataclass
class Said:
    """The connection to a host: what was said."""

    asked: list[str] = field(default_factory=list)

    def say(self, fact: dict[str, Any]) -> None:
        self.asked += [key for key in fact if key in ("fork", "check")]


class OneHost:
    """A fleet of one host, which is ready."""

    cpus, node = 1, "here"

    def __init__(self) -> None:
        self.said = Said()
        self.host = Host("host-1", None, None, 0.0, cast(Any, self.said), node="there", briefed=True, ready=True)
        self.hosts = {"host-1": self.host}
        self.staying = [self.host]

    def want(self, count: int, now: float) -> None:
        """It is there."""


@pytest.fixture
def engine() -> Iterator[RayEngine]:
    made = RayEngine(cast(Any, OneHost()), 1)
    made._checks_due = 1
    made._match()
    yield made
    made.close()


@pytest.mark.parametrize("kind", ["worker", "check"])
def test_whoever_ends_before_its_own_connection_is_heard_is_replaced_though_not_without_end(engine: RayEngine, kind: str) -> None:
    fleet = cast(Any, engine._fleet)
    assert sorted(fleet.said.asked) == ["check", "fork"]

    def one_after_the_other() -> None:
        for ended in range(1, 100):
            [name] = [name for name in engine._expected if name.startswith(kind)]
            engine._take_fact(fleet.host, {"ended": name, "code": -9, "cpu": None})
            assert len(fleet.said.asked) == 2 + ended

    with pytest.raises(RegrowError, match="ended before they were ready: killed by SIGKILL"):
        one_after_the_other()
    assert len(fleet.said.asked) > 10
