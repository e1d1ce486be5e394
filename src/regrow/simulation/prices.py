"""What a task of a scenario costs, besides computing: messages, state, both copies of what it puts out."""

from __future__ import annotations

from dataclasses import dataclass

from regrow.simulation.scenario import Scenario

__all__ = ["Price", "prices", "size_of"]


@dataclass(frozen=True, slots=True)
class Price:
    """Seconds of one task of a role: opening and reading messages, reading the state, writing and publishing; the mean of computing on a
    machine of speed 1, and the standard deviation of the logarithm of that."""

    messages: float
    state: float
    writing: float
    computing: float
    spread: float


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
    return Price(messages, work.state_bytes / share, writing, work.seconds, work.spread)
