"""The first of several answers: what drives the hedging machine with asyncio, and with threads.

    answer = await regrow.first([lambda m=m: ask(m) for m in machines], deadline=1.0)

Whoever asks the same machines again and again keeps a `Hedge`: it remembers who is slow, when an answer is late, and the budget.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import math
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from regrow.errors import NoAnswer, TooLate, UsageError
from regrow.serving.hedging import Hedging, Policy
from regrow.serving.moves import Abandoned, Action, Answered, Asked, Cancel, Event, Failed, Joined, Left, Lost, Start, Wake, Woken, Won

__all__ = ["Hedge", "Refused", "first", "first_sync"]

T = TypeVar("T")
Calls = Mapping[str, Callable[[], T]] | Iterable[Callable[[], T]]

SHORTEST_WAIT = 0.001
"""Seconds. Event loops count in milliseconds, and may ring early: less would make them ring again and again until it is time."""
STALL, TURNS = 0.005, 5
"""A timer that rings so many seconds late says that this process was held up, and not a replica: what has come meanwhile is looked at
first, for which an event loop needs some turns."""
LAST_WAIT = 0.1
"""Cancelled calls are awaited until the deadline, at least so many seconds: then they are left alone, and the loop is told."""


class Refused(Exception):
    """Raised by a call: it failed, and nobody else is to be tried instead."""


class Hedge:
    """What is remembered from request to request, for calls that go to the same places.

    The parameters are those of `Policy`: mode ("hedge", "race" with `copies`, "all", "off"), attempts_max, extra (0.10: a tenth
    more calls), delay_first, delay_min, fade_seconds. Not to be shared between threads, nor between event loops.
    """

    def __init__(self, mode: str = "hedge", **policy: Any) -> None:
        try:
            self.machine = Hedging(Policy(mode, **policy), luck=time.time_ns())
        except TypeError as error:
            raise UsageError(str(error), "the parameters are those of regrow.serving.hedging.Policy") from None
        self._numbers = itertools.count()

    async def first(self, calls: Calls[Awaitable[T]], *, deadline: float = 1.0, units: float = 1.0) -> T:
        """The first answer of `calls`, each of which asks one place: by name, or by their place in a list.

        deadline: seconds from now. units: how much there is to do; a larger request is given more time before it counts as late.
        A call fails by raising. Calls that lose are cancelled and awaited. Raises TooLate, or NoAnswer if all that were tried failed; the
        error of the last one is its cause.
        """
        named = self._named(calls, deadline, units)
        return await self.ask(lambda name: named[name](), tuple(named), deadline, units)

    def first_sync(self, calls: Calls[T], *, deadline: float = 1.0, units: float = 1.0) -> T:
        """The same for calls that block, each in a thread of its own.

        A thread cannot be cancelled: what loses goes on to its end, and what it returns is dropped.
        """
        named = self._named(calls, deadline, units)
        found: T = _Threads(self.machine, named, next(self._numbers)).run(deadline, units)
        return found

    def _named(self, calls: Calls[Any], deadline: float, units: float) -> dict[str, Callable[[], Any]]:
        named = _callable(calls)
        for what, number, advice in (("deadline", deadline, "seconds from now, e.g. deadline=1.0"), ("units", units, "a number above 0")):
            if not isinstance(number, (int, float)) or not 0 < number < math.inf:
                raise UsageError(f"{what}={number!r}", advice)
        for name in named:
            if name not in self.machine.replicas:
                self.machine.handle(Joined(name), time.monotonic())
        return named

    def forget(self, name: str) -> None:
        """A place that will not be asked again."""
        self.machine.handle(Left(name), time.monotonic())

    async def ask(self, call: Callable[[str], Awaitable[T]], among: tuple[str, ...] | None, deadline: float, units: float = 1.0) -> T:
        """The core of `first`: `call` asks the replica of a name that has joined; among: those that may be asked, None: all."""
        handle, clock = self.machine.handle, time.monotonic
        number, tasks, over = next(self._numbers), dict[int, asyncio.Future[T]](), False
        events: list[Event] = [Asked(number, clock() + deadline, units, among)]
        wake, cause = 0.0, None
        try:
            while True:
                for action in [action for event in events for action in handle(event, clock())]:
                    if type(action) is Start:
                        tasks[action.attempt] = _begun(call, action.replica)
                    elif type(action) is Wake:
                        wake = action.at
                    elif type(action) is Cancel:
                        tasks[action.attempt].cancel()
                    elif type(action) is Won:
                        over = True
                        return tasks[action.attempt].result()
                    elif type(action) is Lost:
                        over = True
                        raise (TooLate if action.late else NoAnswer)(action.why) from cause
                await _any([task for task in tasks.values() if not task.done()], wake - clock())
                events = []
                for attempt, task in tasks.items():
                    if task.done():
                        event, why = _ended(number, attempt, task)
                        events.append(event)
                        cause = why or cause
                if len(events) > 1:  # the machine knows those that it has heard already
                    events.sort(key=lambda event: type(event) is not Answered)
                events = events or [Woken(number)]
        finally:
            if not over:
                handle(Abandoned(number), clock())
            if len(tasks) > 1 or not over:
                await _all_ended(list(tasks.values()), wake)


async def _any(running: Sequence[asyncio.Future[Any]], seconds: float) -> None:
    """Until one of them is done, or so many seconds have passed (asyncio.wait does more, and takes twice as long for it)."""
    loop = asyncio.get_running_loop()
    waiting = loop.create_future()

    def ring(_: object = None) -> None:
        if not waiting.done():
            waiting.set_result(None)

    until = loop.time() + max(SHORTEST_WAIT, seconds)
    timer = loop.call_at(until, ring)
    for task in running:
        task.add_done_callback(ring)
    try:
        await waiting
        turns = TURNS if loop.time() - until > STALL else 0
        while turns and not any(task.done() for task in running):
            turns -= 1
            await asyncio.sleep(0)
    finally:
        timer.cancel()
        for task in running:
            task.remove_done_callback(ring)


def _callable(calls: Calls[Any]) -> dict[str, Callable[[], Any]]:
    """The calls by name. Raises UsageError if they are none."""
    example = "give functions, e.g. [lambda: ask(machine)]"
    if callable(calls) or not isinstance(calls, Iterable):
        raise UsageError(f"calls={calls!r:.80}: neither a list of calls nor calls by name", example)
    named = dict(calls) if isinstance(calls, Mapping) else {str(place): call for place, call in enumerate(calls)}
    if not named:
        raise UsageError("no calls", "give at least one, e.g. [lambda: ask(machine)]")
    for name, call in named.items():
        if not callable(call):
            for coroutine in filter(inspect.iscoroutine, named.values()):
                coroutine.close()  # nobody will await it
            raise UsageError(f"call {name} is {call!r:.80}, which cannot be called", example)
    return named


def _ended(number: int, attempt: int, task: asyncio.Future[Any]) -> tuple[Event, BaseException | None]:
    if task.cancelled():
        return Failed(number, attempt, "it was cancelled"), None
    error = task.exception()
    if error is None:
        return Answered(number, attempt), None
    return Failed(number, attempt, told(error), stop=isinstance(error, Refused)), error


def told(error: BaseException) -> str:
    """An error in a few words."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _begun(call: Callable[[str], Awaitable[T]], name: str) -> asyncio.Future[T]:
    """A call that is under way, or has failed already."""
    try:
        return asyncio.ensure_future(call(name))
    except Exception as error:
        failed: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        failed.set_exception(error)
        return failed


async def _all_ended(tasks: Sequence[asyncio.Future[Any]], until: float) -> None:
    """Cancel what still runs, and wait for its end."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    if running:
        _, left = await asyncio.wait(running, timeout=max(LAST_WAIT, until - time.monotonic()))
        for task in left:
            said = {"message": "a call that lost does not end although it was cancelled", "task": task}
            asyncio.get_running_loop().call_exception_handler(said)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # it was looked at


class _Threads:
    """One request whose attempts are threads."""

    def __init__(self, machine: Hedging, calls: Mapping[str, Callable[[], T]], number: int) -> None:
        self.machine, self.calls, self.number = machine, calls, number
        self.ended: queue.SimpleQueue[tuple[int, bool, Any]] = queue.SimpleQueue()
        self.wake = 0.0

    def run(self, deadline: float, units: float) -> Any:
        """Until there is an answer."""
        now = time.monotonic()
        actions = self.machine.handle(Asked(self.number, now + deadline, units, tuple(self.calls)), now)
        result: Any = None
        try:
            while True:
                self._perform(actions, result)
                if any(isinstance(action, Won) for action in actions):
                    return result
                event: Event = Woken(self.number)
                with contextlib.suppress(queue.Empty):
                    attempt, well, result = self.ended.get(timeout=max(0.0, self.wake - time.monotonic()))
                    if well:
                        event = Answered(self.number, attempt)
                    else:
                        event = Failed(self.number, attempt, told(result), stop=isinstance(result, Refused))
                actions = self.machine.handle(event, time.monotonic())
        finally:
            self.machine.handle(Abandoned(self.number), time.monotonic())

    def _perform(self, actions: Sequence[Action], result: Any) -> None:
        for action in actions:
            if isinstance(action, Start):
                where = (action.attempt, self.calls[action.replica])
                threading.Thread(target=self._call, args=where, name=f"regrow.first {action.replica}", daemon=True).start()
            elif isinstance(action, Wake):
                self.wake = action.at
            elif isinstance(action, Lost):
                cause = result if isinstance(result, BaseException) else None
                raise (TooLate if action.late else NoAnswer)(action.why) from cause

    def _call(self, attempt: int, call: Callable[[], Any]) -> None:
        try:
            found = call()
            if inspect.isawaitable(found):
                if inspect.iscoroutine(found):
                    found.close()
                raise UsageError("a call of first_sync that is to be awaited", "give it to: await regrow.first(...)")
        except Exception as error:
            self.ended.put((attempt, False, error))
        else:
            self.ended.put((attempt, True, found))


async def first(calls: Calls[Awaitable[T]], *, deadline: float = 1.0, mode: str = "hedge", units: float = 1.0, **policy: Any) -> T:
    """The first answer of several calls: `await regrow.first([lambda: ask(a), lambda: ask(b)], deadline=1.0)`.

    mode    "hedge": one of them, drawn at random; another one when 50 ms (delay_first) have passed without an answer, or at once when
            it fails; three at most (attempts_max). "race": `copies` at once. "all": all at once. "off": one.

    Calls that lose are cancelled and awaited. Raises TooLate after `deadline` seconds, NoAnswer if all that were tried failed. For calls
    that go to the same places again and again, keep a `regrow.Hedge`: it learns when an answer is late, and who is sick.
    """
    return await Hedge(mode, **policy).first(calls, deadline=deadline, units=units)


def first_sync(calls: Calls[T], *, deadline: float = 1.0, mode: str = "hedge", units: float = 1.0, **policy: Any) -> T:
    """`first` for calls that block: each runs in a thread of its own. Those that lose go on to their end: threads cannot be cancelled."""
    return Hedge(mode, **policy).first_sync(calls, deadline=deadline, units=units)
