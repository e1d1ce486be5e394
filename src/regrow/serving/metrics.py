"""What a service has done, for Prometheus: counted by one process, read when it is asked for."""

from __future__ import annotations

import time
from collections import Counter as Counted
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from regrow.serving.connections import Connections
from regrow.serving.fleet import Fleet

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Counters of requests, and a look at everything else.

    busy: requests and batches that are under way; facts: what others count, as {name: (help, number)}; restarts: by cause
    """

    def __init__(self, fleet: Fleet, connections: Connections) -> None:
        self.fleet, self.connections = fleet, connections
        self.registry = CollectorRegistry()
        self.busy = Counted({"requests": 0, "batches": 0})
        self.tallies: Mapping[str, Mapping[str, Any]] = {}
        self.facts: Callable[[], Mapping[str, tuple[str, float]]] = dict
        self.restarts: Mapping[str, int] = {}
        self._requests = Counter("regrow_requests", "Requests by path and HTTP code.", ["path", "code"], registry=self.registry)
        self._seconds = Histogram("regrow_request_seconds", "From request to answer.", ["path"], buckets=SECONDS, registry=self.registry)
        self._by: dict[tuple[str, int], tuple[Any, Any]] = {}
        self.registry.register(self)

    def answered(self, path: str, code: int, seconds: float) -> None:
        """A request has ended."""
        if (path, code) not in self._by:
            self._by[path, code] = self._requests.labels(path, str(code)), self._seconds.labels(path)
        counter, histogram = self._by[path, code]
        counter.inc()
        histogram.observe(seconds)

    def text(self) -> bytes:
        """All of it."""
        found: bytes = generate_latest(self.registry)
        return found

    def collect(self) -> Iterator[Metric]:
        """What is only looked at."""
        machine = self.fleet.hedge.machine
        counts = machine.counts
        for name, help, number in (
            ("attempts", "Times that a replica was asked.", counts.attempts),
            ("attempt_failures", "Attempts that failed.", counts.failures),
            ("attempts_cancelled", "Attempts that lost, were too late, or whose asker went away.", counts.cancelled),
            ("hedges_beyond_budget", "Attempts on credit, for requests that would have been lost with nothing saved up.", counts.beyond),
            ("requests_late", "Requests without an answer by their deadline.", counts.late),
            ("requests_lost", "Requests all of whose attempts failed.", counts.lost),
            ("requests_abandoned", "Requests whose asker went away.", counts.abandoned),
        ):
            yield CounterMetricFamily(f"regrow_{name}", help, value=number)
        hedges = CounterMetricFamily("regrow_hedges", "Attempts after the first, and those that the budget denied.", labels=["outcome"])
        for outcome, times in (("won", counts.won), ("lost", counts.hedges - counts.won), ("denied", counts.denied)):
            hedges.add_metric([outcome], times)
        yield hedges
        extra = counts.hedges / counts.requests if counts.requests else 0.0
        yield GaugeMetricFamily("regrow_extra_load_ratio", "Attempts after the first for each request.", value=extra)
        yield GaugeMetricFamily(
            "regrow_hedge_budget", "Attempts that may be made besides the first ones now; below 0: owed.", value=machine.saved
        )
        late = machine.paces.late()
        yield GaugeMetricFamily(
            "regrow_late_seconds", "When an answer of mean size counts as late.", value=late or machine.policy.delay_first
        )
        yield GaugeMetricFamily("regrow_in_flight", "Requests and batches that hold a place.", value=self.busy.total())
        yield GaugeMetricFamily(
            "regrow_connections_at_work",
            "Connections that are at a request, also one whose body is coming.",
            value=self.connections.at_work,
        )
        yield GaugeMetricFamily("regrow_connections", "Connections that are open.", value=len(self.connections.open))
        for name, help, number in (
            ("connections_refused", "Connections for which there was no room.", self.connections.refused),
            ("connections_hung_up", "Silent and slow connections that made room for others.", self.connections.hung_up),
        ):
            yield CounterMetricFamily(f"regrow_{name}", help, value=number)
        yield GaugeMetricFamily("regrow_replicas", "Replicas that can be asked.", value=len(self.fleet.members))
        for name, (help, total) in self.facts().items():
            yield CounterMetricFamily(f"regrow_{name}", help, value=total)
        restarts = CounterMetricFamily("regrow_replica_restarts", "Replicas that were replaced.", labels=["cause"])
        for cause, number in self.restarts.items():
            restarts.add_metric([cause], number)
        yield restarts
        info = GaugeMetricFamily("regrow_model", "The model that is served.", labels=["digest", "name"])
        if self.fleet.model is not None:
            info.add_metric([self.fleet.model.digest, self.fleet.model.name], 1)
        yield info
        yield from self._of_replicas()

    def _of_replicas(self) -> Iterator[Metric]:
        machine, now = self.fleet.hedge.machine, time.monotonic()
        outstanding = GaugeMetricFamily("regrow_replica_outstanding", "Attempts that a replica is at.", labels=["replica"])
        misses = GaugeMetricFamily("regrow_replica_misses", "Failures and lost races of late.", labels=["replica"])
        for name, replica in machine.replicas.items():
            outstanding.add_metric([name], replica.outstanding)
            misses.add_metric([name], machine.misses(replica, now))
        yield from (outstanding, misses)
        for fact, help in (
            ("answered", "Requests answered."),
            ("items", "Documents or rows answered."),
            ("seconds", "Seconds of work."),
            ("busy", "Requests refused because too many waited."),
            ("cancelled_waiting", "Requests given up while they waited."),
            ("cancelled_running", "Requests given up while they were worked on."),
            ("expired", "Requests that were too late to be worked on."),
        ):
            family = CounterMetricFamily(f"regrow_replica_{fact}", f"{help} Of living replicas.", labels=["replica"])
            for name, tally in self.tallies.items():
                family.add_metric([name], tally[fact])
            yield family
