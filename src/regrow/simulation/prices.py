"""What a task of a scenario costs, besides computing: messages, state, both copies of what it puts out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from regrow.simulation.scenario import Scenario

__all__ = ["Price", "prices", "size_of"]


@dataclass(frozen=True, slots=True)
class Price:
    """Seconds of one task of a role: opening and reading messages, reading the state, writing and publishing; the mean of computing on a
    machine of speed 1, and the standard deviation of the logarithm of that.

    far         what a task pays more for messages of a role, and for its state, if all of them are in durable storage alone
    """

    messages: float
    state: float
    writing: float
    computing: float
    spread: float
    far: Mapping[str, float]
    far_state: float


def prices(scenario: Scenario) -> dict[str, Price]:
    """Role -> what its tasks cost."""
    return {role: _price(scenario, role) for role in scenario.roles}


def size_of(scenario: Scenario, role: str) -> float:
    """Bytes of what a task puts out: messages for each role that reads it, and its state."""
    readers = sum(role in work.reads for work in scenario.roles.values())
    return scenario.roles[role].message_bytes * readers + scenario.roles[role].state_bytes


def _price(scenario: Scenario, role: str) -> Price:
    costs, work = scenario.costs, scenario.roles[role]
    share = costs.network_bandwidth / scenario.machines.workers
    messages = scenario.sections(role) * costs.section_seconds + scenario.bytes_in(role) / share + costs.network_delay_seconds
    writing = 2 * costs.network_delay_seconds + size_of(scenario, role) / share + costs.commit_seconds
    far = {sender: _far(scenario, scenario.sections_of(role, sender), scenario.bytes_of(role, sender)) for sender in work.reads}
    return Price(messages, work.state_bytes / share, writing, work.seconds, work.spread, far, _far(scenario, 1, work.state_bytes))


def _far(scenario: Scenario, sections: float, size: float) -> float:
    """Seconds to read this from storage."""
    return sections * scenario.costs.storage_delay_seconds + size / scenario.costs.storage_bandwidth
