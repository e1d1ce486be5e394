"""The engine `ray`: workers on the machines of a Ray cluster, which may be taken away at any moment.

A worker writes its artifact on its own node. The coordinator fetches a copy, checks it, and only then hears that the attempt is done:
what is committed lies on two machines, and the loss of any one of them loses nothing that was committed. Readers take what they read,
section by section, from the node that made it, and from the coordinator if that node is gone. Workers on the coordinator's own node
write into the run's directory at once, as `local` does.

A worker that is killed is lost at once (its connection closes). A machine is lost when the connections of its hosts close, or when they
say nothing for four seconds. Lost is final: whoever wakes afterwards finds its connection closed and ends.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

from regrow import errors
from regrow.coordinator.actions import Action, Commit, Discard, Forget, Start
from regrow.coordinator.events import AttemptDone, AttemptFailed, Receipt
from regrow.coordinator.plan import Attempt, Task
from regrow.coordinator.policy import Lost
from regrow.engines.base import cpu_seconds
from regrow.engines.briefing import Far, briefing
from regrow.engines.copies import Copies
from regrow.engines.crew import CrewEngine
from regrow.engines.fleet import Fleet, Host, why_nobody
from regrow.engines.memory import MemoryWatch
from regrow.engines.processes import Worker, how_it_ended
from regrow.engines.servers import check_versions
from regrow.job import Job

__all__ = ["RayEngine"]

SILENCE_SECONDS = 4.0
"""A host that says nothing for so long is lost: its heart beats twice a second, whatever its worker does."""
START_SECONDS = 10.0
"""How long the first task waits for all workers to be there, once one is."""


@dataclass(slots=True, eq=False)
class FarWorker(Worker):
    """A worker with the host that stands beside it."""

    host: Host | None = None
    memory: str | None = None
    """The figures, if the kernel killed somebody for memory when it ended."""


class RayEngine(CrewEngine):
    """`workers` processes at a time on the nodes of a cluster; None: as many as its nodes have room for, whoever comes and goes."""

    def __init__(
        self, fleet: Fleet, workers: int | None, *, preempt_seconds: float | None = None, verify: bool = True, checkers: int = 1
    ) -> None:
        super().__init__(max(1, fleet.cpus) if workers is None else workers, preempt_seconds, checkers if verify else 0)
        self._fleet, self._follows = fleet, workers is None
        self._stage = ""
        self._expected: dict[str, Host] = {}
        """Workers that were asked for and have not come, and where."""
        self._interrupted: dict[Task, float] = {}
        """Tasks whose workers were lost -> when: until somebody, anywhere, is at them again."""
        self._checks_due = 0
        self._copies: Copies
        self._begun = False
        self._heard: set[str] = set()
        """Hosts whose connections are being listened to."""
        self._served_before = 0
        self._lost_bytes = 0
        self._polled = 0.0
        self._memory = MemoryWatch()

    # Starting

    def _start(self, job: Job) -> None:
        self._stage = self.directory.epoch.name
        self._copies = Copies(self._fleet.address, self._fleet.token, self.directory, job.data, self._hear_of_copy)
        self._served_before = sum(host.served_bytes for host in self._fleet.hosts.values())
        self._job, self._begun = job, True
        self._checks_due = self._checkers
        self._selector.register(self._fleet.listener, selectors.EVENT_READ, self._hear_newcomers)
        for host in self._fleet.hosts.values():
            self._listen_to(host)
        self._fleet.want(self._wanted, self.now())
        self._await_first_workers()
        self._memory.idle([])
        self._cpu = cpu_seconds()
        self._next_preemption = self.now() + (self._preempt_seconds or 0)

    def _await_first_workers(self) -> None:
        """Let the first workers join before any work, as long as somebody imports or compiles. Without any the run begins, and says so."""
        calm = self.now()
        while True:
            ready = sum(worker.ready and not worker.checks for worker in self._workers.values())
            if not ready and any(host.lines is not None and not host.ready for host in self._fleet.hosts.values()):
                calm = self.now()
            if ready >= self._wanted or self.now() - calm > START_SECONDS:
                return
            if cause := self._stop_cause():
                raise errors.Paused(cause, "")
            self._poll(0.05)
            self._watch_now_and_then()

    def _watch_now_and_then(self) -> None:
        now = self.now()
        if now - self._polled >= 0.25:
            self._polled = now
            self._watch(now)

    def _brief(self, host: Host) -> None:
        """Tell a host of the stage."""
        host.ready, host.briefed, host.folder = False, False, ""
        far = None if host.node == self._fleet.node else Far(self._copies.address, self._fleet.token)
        self._say(host, briefing(self._job, self._stage, far))

    def _say(self, host: Host, fact: dict[str, Any]) -> None:
        try:
            if host.lines is not None:
                host.lines.say(fact)
        except OSError:
            return  # its connection is closed: that is heard in a moment

    # Hosts

    def _hear_newcomers(self) -> None:
        before = set(self._fleet.hosts)
        for connection, hello in self._fleet.accept():
            self._take_worker(connection, hello)
        for name in before & self._fleet.hosts.keys():
            self._listen_to(self._fleet.hosts[name])

    def _listen_to(self, host: Host) -> None:
        if host.lines is not None and host.name not in self._heard:
            self._heard.add(host.name)
            host.heard_at = self.now()
            self._selector.register(host.lines.connection, selectors.EVENT_READ, partial(self._hear_host, host))
            self._brief(host)

    def _take_worker(self, connection: socket.socket, hello: dict[str, Any]) -> None:
        name = str(hello["worker"])
        if hello.get("stage") != self._stage or name not in self._expected:
            connection.close()  # of a stage that is over, or lost before it came
            return
        self._add(FarWorker(name, connection, checks=name.startswith("check"), host=self._expected.pop(name)))

    def _hear_host(self, host: Host) -> None:
        facts = host.lines.hear() if host.lines is not None and host.name in self._fleet.hosts else None
        if facts is None:
            self._lose_host(host, "its connection closed")
            return
        if facts:
            host.heard_at = self.now()
        for fact in facts:
            self._take_fact(host, fact)

    def _take_fact(self, host: Host, fact: dict[str, Any]) -> None:
        if "beat" in fact:
            host.served_bytes = fact["beat"]
        elif "said" in fact:
            sys.stderr.write(fact["said"])
            sys.stderr.flush()
        elif fact.get("ready") == self._stage:
            check_versions(fact["environment"])
            self.tally.compile_seconds = max(self.tally.compile_seconds, fact["warm"])
            host.ready = True
            self._match()
        elif fact.get("briefed") == self._stage:
            host.briefed, host.folder = True, fact["folder"]
            self._match()
        elif "refused" in fact and fact["stage"] == self._stage:
            kind, message, advice = fact["refused"]
            raise getattr(errors, kind)(message, advice)
        elif "unforked" in fact:
            raise OSError(fact["errno"], os.strerror(fact["errno"]), f"a new worker process on {host.node[:8]}")
        elif worker := self._workers.get(fact.get("frozen", "")):
            self._lose(worker, fact["why"])
        elif worker := self._workers.get(fact.get("forked", "")) or self._gone.get(fact.get("forked", "")):
            worker.pid = fact["pid"]
        elif "ended" in fact:
            self._hear_end(fact)

    def _hear_end(self, fact: dict[str, Any]) -> None:
        name = fact["ended"]
        worker = self._workers.get(name) or self._gone.pop(name, None)
        if isinstance(worker, FarWorker):
            worker.memory = fact.get("memory")
            self._ended(worker, fact["code"], fact["cpu"])
        elif self._expected.pop(name, None) is not None:  # its own connection, if it had come to that, is heard later than its host's
            self._came_in_vain(how_it_ended(fact["code"]))
            self._checks_due += name.startswith("check")
            self._match()

    def _lose_host(self, host: Host, cause: str) -> None:
        """A host is lost, and its worker with it: it is replaced."""
        if host.name not in self._fleet.hosts:
            return
        if host.lines is not None and host.name in self._heard:
            self._selector.unregister(host.lines.connection)
        self._heard.discard(host.name)
        self._lost_bytes += host.served_bytes
        self._fleet.shun(host.node, self.now())
        self._fleet.drop(host)
        self._forget_host(host)
        for worker in [one for one in self._workers.values() if isinstance(one, FarWorker) and one.host is host]:
            self._lose(worker, f"its host on node {host.node[:8]}: {cause}")
        if not self._closing:
            self._fleet.want(self._wanted, self.now())

    def _forget_host(self, host: Host) -> None:
        """Nothing comes from it any more: readers ask the coordinator at once."""
        for name in [name for name, one in self._expected.items() if one is host]:
            del self._expected[name]
            if name.startswith("check"):
                self._checks_due += 1
        self._copies.lost(host.serves)

    # Workers

    def _begin_worker(self) -> None:
        self._match()

    def _begin_checker(self) -> None:
        self._checks_due += 1
        self._match()

    def _match(self) -> None:
        """Start workers on the hosts that have none, as many as are wanted; let the hosts go that are too many."""
        if self._closing:
            return
        busy = {id(worker.host) for worker in self._workers.values() if isinstance(worker, FarWorker) and not worker.checks}
        busy |= {id(host) for name, host in self._expected.items() if not name.startswith("check")}
        free = [host for host in self._fleet.hosts.values() if id(host) not in busy]
        for host in free:
            if host.ready and not host.draining and self._coming < self._wanted:
                self._fork(host, "worker")
            elif host.draining or len(self._fleet.staying) > self._wanted:
                self._let_go(host)
        briefed = [host for host in self._fleet.hosts.values() if host.briefed and not host.draining]
        while self._checks_due and briefed:  # a process of its own: it need not wait for the fork server
            self._checks_due -= 1
            self._fork(briefed[0], "check")
        self._fleet.want(self._wanted, self.now())

    @property
    def _coming(self) -> int:
        """Workers that are there and stay, or have been asked for."""
        return len(self._staying()) + sum(not name.startswith("check") for name in self._expected)

    def _fork(self, host: Host, kind: str) -> None:
        name = self._name(kind)
        self._expected[name] = host
        self._say(host, {"fork" if kind == "worker" else "check": name})

    def _let_go(self, host: Host) -> None:
        """A host is not needed any more."""
        if any(isinstance(worker, FarWorker) and worker.host is host for worker in self._workers.values()):
            return  # a checker is still there
        if host.lines is not None and host.name in self._heard:
            self._selector.unregister(host.lines.connection)
        self._heard.discard(host.name)
        self._lost_bytes += host.served_bytes
        self._forget_host(host)
        self._fleet.drop(host)

    def _end_process(self, worker: Worker) -> None:
        if isinstance(worker, FarWorker) and worker.host is not None:
            self._say(worker.host, {"kill": worker.name})

    def _is_gone(self, worker: Worker) -> None:
        assert isinstance(worker, FarWorker)
        if worker.host is not None and worker.host.name not in self._fleet.hosts:
            self._gone.pop(worker.name, None)  # nobody is left who could tell how it ended

    def _for_memory(self, worker: Worker) -> str | None:
        return worker.memory if isinstance(worker, FarWorker) else None

    def _try(self, action: Start) -> None:
        since = self._interrupted.pop(action.attempt.task, None)
        if since is not None:
            self.tally.recovery_seconds.append(self.now() - since)
        super()._try(action)

    def _lose(self, worker: Worker, cause: str, kind: Lost = "loss") -> None:
        if worker.attempt is not None:
            self._interrupted.setdefault(worker.attempt.task, worker.closed_at or self.now())
        super()._lose(worker, cause, kind)

    def _machine(self, worker: Worker) -> str:
        return worker.host.node if isinstance(worker, FarWorker) and worker.host is not None else ""

    def _folder(self, worker: Worker) -> str:
        assert isinstance(worker, FarWorker)
        assert worker.host is not None
        return worker.host.folder or str(self.directory.epoch)

    def scale(self, workers: int) -> None:
        """Have so many workers; those of the cluster's nodes are not followed any more."""
        self._follows = False
        self._scale(workers)

    def _scale(self, workers: int) -> None:
        super().scale(workers)
        self._match()

    def crew(self) -> list[dict[str, Any]]:
        """Who is there, and on which node."""
        nodes = {worker.name: worker.host.node for worker in self._workers.values() if isinstance(worker, FarWorker) and worker.host}
        return [{**one, "node": nodes.get(one["worker"], "")[:8]} for one in super().crew()]

    def why_nobody(self) -> str:
        """What the cluster's nodes lack."""
        return why_nobody(self._fleet.label, self._fleet.nodes.values())

    # Artifacts: two copies before they count

    def _answered(self, worker: Worker, attempt: Attempt, receipt: Receipt, cpu: float) -> None:
        host = worker.host if isinstance(worker, FarWorker) else None
        if host is None or not host.folder:
            super()._answered(worker, attempt, receipt, cpu)
            return
        self._copies.fetch(worker.name, host.serves, attempt, receipt, cpu)

    def _hear_of_copy(self, event: AttemptDone | AttemptFailed, cpu: float) -> None:
        """What came of an attempt (from another thread)."""
        if isinstance(event, AttemptDone):
            self._reported[event.attempt] = (event.receipt, cpu)
        self._events.append(event)
        self._wake()

    def perform(self, action: Action) -> None:
        """Do what the coordinator decided, here and where the first copies are."""
        super().perform(action)
        match action:
            case Commit(attempt):
                self._copies.committed(attempt)
            case Discard(attempt) if self._copies.discarded(attempt):
                self._forget([str(attempt)])
            case Forget(tasks):
                self._forget(self._copies.forgotten(tasks))

    def _forget(self, names: list[str]) -> None:
        for host in self._one_host_of_each_node():
            self._say(host, {"forget": names})

    def _one_host_of_each_node(self) -> list[Host]:
        return list({host.node: host for host in self._fleet.hosts.values() if host.folder}.values())

    # What is looked at from outside

    def _watch(self, now: float) -> None:
        self._polled = now
        self._memory.sample([], now)
        for host in list(self._fleet.hosts.values()):
            if host.lines is not None and now - host.heard_at > SILENCE_SECONDS:
                self._hear_host(host)  # perhaps it was we who did not listen
                if now - host.heard_at > SILENCE_SECONDS:
                    self._lose_host(host, f"nothing heard for {now - host.heard_at:.1f} s")
        self._fleet.look(now)
        self._follow_notices()
        if self._follows:
            if self._fleet.cpus != self._wanted:
                self._scale(max(1, self._fleet.cpus))
            self.tally.workers_wanted = self._wanted
        self._fleet.want(self._wanted, now)
        served = sum(host.served_bytes for host in self._fleet.hosts.values()) + self._lost_bytes - self._served_before
        self.tally.moved_bytes = served + self._copies.sent_bytes

    def _follow_notices(self) -> None:
        """Nodes that will be taken away: their workers finish or hand back, and others are asked for elsewhere."""
        for host in list(self._fleet.hosts.values()):
            node = self._fleet.nodes.get(host.node)
            if node is None or node.leaves_in is None or host.draining:
                continue
            host.draining = True
            for worker in list(self._workers.values()):
                if isinstance(worker, FarWorker) and worker.host is host:
                    self._let_drain(worker, f"notice of preemption of node {node.id[:8]}", node.leaves_in)
            self._match()

    # The end

    def close(self) -> None:
        """End the stage everywhere. The hosts stay, for the next one."""
        super().close()
        self._closing = True
        for worker in list(self._workers.values()):
            self._kill(worker, "the run is over")
        deadline = self.now() + 3
        while (self._workers or self._gone) and self.now() < deadline:
            self._poll(0.05)
        for host in self._fleet.hosts.values():
            host.ready = host.briefed = False
            self._say(host, {"end": True})
        if self._begun:
            self._copies.close()
        self._close_books()
        if self._cpu is not None:
            self.tally.peak_memory_bytes = self._memory.peak_bytes
