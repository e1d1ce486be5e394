"""regrow.first: the first answer, losers cancelled and awaited, one deadline; with asyncio and with threads."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import regrow
from regrow.errors import NoAnswer, TooLate, UsageError
from regrow.serving.first import Refused
from serving.hurried import Hurried

Play = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Play a scene in the time of its own loop, and with the same luck every time."""
    loop = Hurried()
    monkeypatch.setattr("regrow.serving.first.time", SimpleNamespace(monotonic=loop.time, time_ns=lambda: 1))
    yield loop.run_until_complete
    loop.close()


class Places:
    """Calls that note what becomes of them."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []

    def __call__(self, name: str, seconds: float, error: Exception | None = None) -> Callable[[], Awaitable[str]]:
        async def call() -> str:
            self.begun.append(name)
            try:
                await asyncio.sleep(seconds)
                if error is not None:
                    raise error
                return name
            except asyncio.CancelledError:
                await asyncio.sleep(0.01)  # some need a moment to put things away
                raise
            finally:
                self.ended.append(name)

        return call


def test_the_first_answer_wins_and_losers_are_cancelled_and_awaited(play: Play) -> None:
    async def scene() -> None:
        place = Places()
        calls = [place("hangs", 60), place("quick", 0.02), place("slow", 5)]
        assert await regrow.first(calls, mode="all", deadline=5) == "quick"
        assert sorted(place.ended) == ["hangs", "quick", "slow"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    play(scene())


def test_hedging_asks_another_one_when_the_answer_is_late(play: Play) -> None:
    async def scene() -> None:
        place = Places()
        hedge = regrow.Hedge(delay_first=0.02, delay_min=0.01)
        for _ in range(20):
            assert await hedge.first({"hangs": place("hangs", 60), "well": place("well", 0.001)}, deadline=5) == "well"
        counts = hedge.machine.counts
        assert counts.answered == 20
        assert counts.hedges == counts.won == place.begun.count("hangs") < 10  # it was found out

    play(scene())


def test_that_this_process_was_held_up_makes_nobody_late(play: Play) -> None:
    async def scene() -> None:
        async def call() -> str:
            asyncio.get_running_loop().now += 0.1  # type: ignore[attr-defined]  # blocked, as by work of somebody else
            for _ in range(3):
                await asyncio.sleep(0)
            return "well"

        hedge = regrow.Hedge(delay_first=0.02)
        assert await hedge.first([call, call], deadline=60) == "well"
        assert hedge.machine.counts.hedges == 0

    play(scene())


def test_an_error_is_no_answer_and_the_next_one_is_asked_at_once(play: Play) -> None:
    async def scene() -> None:
        place = Places()
        calls = [place(name, 0, ConnectionError(f"{name} is down")) for name in "ab"] + [place("c", 0)]
        began = asyncio.get_running_loop().time()
        assert await regrow.first(calls, deadline=30, delay_first=10) == "c"
        assert asyncio.get_running_loop().time() - began < 0.1
        with pytest.raises(NoAnswer, match="2 attempts failed") as caught:
            await regrow.first(calls[:2], deadline=1)
        assert isinstance(caught.value.__cause__, ConnectionError)

    play(scene())


def test_one_deadline_for_all(play: Play) -> None:
    async def scene() -> None:
        place = Places()
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError) as caught:
            await regrow.first([place("a", 3600), place("b", 3600)], deadline=0.1)
        assert isinstance(caught.value, TooLate)
        assert 0.1 <= asyncio.get_running_loop().time() - began < 0.2
        assert sorted(place.ended) == ["a", "b"]

    play(scene())


def test_whoever_goes_away_takes_the_calls_along(play: Play) -> None:
    async def scene() -> None:
        place = Places()
        asking = asyncio.create_task(regrow.first([place("a", 60), place("b", 60)], mode="all", deadline=60))
        await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert sorted(place.ended) == ["a", "b"]

    play(scene())


def test_a_call_that_refuses_ends_it(play: Play) -> None:
    async def scene() -> None:
        place = Places()
        with pytest.raises(NoAnswer, match="too much"):
            await regrow.first([place("a", 0, Refused("too much")), place("b", 0, Refused("too much"))], deadline=1)
        assert len(place.begun) == 1

    play(scene())


def test_a_loser_that_does_not_end_holds_nobody_up_for_ever(play: Play) -> None:
    async def scene() -> None:
        said: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
        release = asyncio.Event()

        async def stubborn() -> str:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            return "at last"

        async def quick() -> str:
            await asyncio.sleep(0.01)
            return "quick"

        assert await regrow.first([stubborn, quick], mode="all", deadline=0.2) == "quick"
        assert said == ["a call that lost does not end although it was cancelled"]
        release.set()
        await asyncio.sleep(0.01)

    play(scene())


def test_threads_do_the_same() -> None:
    release = threading.Event()

    def hangs() -> str:
        release.wait(240)
        return "late"

    def fails() -> str:
        raise ConnectionError("down")

    try:
        hedge = regrow.Hedge(delay_first=0.02, delay_min=0.01)
        assert {hedge.first_sync({"hangs": hangs, "well": lambda: "well"}, deadline=60) for _ in range(10)} == {"well"}
        assert regrow.first_sync([hangs, lambda: "quick"], mode="all", deadline=60) == "quick"
        assert regrow.first_sync([fails, fails, lambda: "third"], deadline=60) == "third"
        with pytest.raises(NoAnswer, match="down") as caught:
            regrow.first_sync([fails], deadline=60)
        assert isinstance(caught.value.__cause__, ConnectionError)
        with pytest.raises(TooLate):
            regrow.first_sync([hangs], deadline=0.05)
    finally:
        release.set()


def test_what_cannot_be_asked_is_refused() -> None:
    async def well() -> int:
        return 1

    for wrong in (
        {"calls": []},
        {"calls": [well], "deadline": 0},
        {"calls": [well], "deadline": float("nan")},
        {"calls": [well], "mode": "x"},
    ):
        with pytest.raises(UsageError):
            asyncio.run(regrow.first(**wrong))  # type: ignore[arg-type]
    coroutine = well()
    for calls in (well, None, 7, [7], "ab", [well, coroutine], {"a": None}):
        with pytest.raises(UsageError, match="call"):
            asyncio.run(regrow.first(calls))  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="call"):
            regrow.first_sync(calls)  # type: ignore[arg-type]
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    for wrong in ({"deadline": None}, {"deadline": "1"}, {"deadline": float("inf")}, {"units": 0}):
        with pytest.raises(UsageError, match=r"deadline=|units="):
            regrow.first_sync([lambda: 1], **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown"):
        regrow.Hedge(unknown=1)
    with pytest.raises(NoAnswer, match=r"await regrow\.first"):
        regrow.first_sync([well])


def test_the_example_tells_what_each_way_costs(play: Play, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from examples.test_examples import example

    module = example("hundred_machines")
    monkeypatch.setattr(module, "REQUESTS", 20)
    play(module.main())
    first, _, everybody, hedge = capsys.readouterr().out.splitlines()
    assert "an answer from machine" in first
    assert "failed  0.0 %   asked 100.00" in everybody
    assert "failed  0.0 %" in hedge
    monkeypatch.setattr(module, "hang", set(module.MACHINES))
    monkeypatch.setattr(module, "DEADLINE", 0.01)
    play(module.measure("off"))
    assert "failed 100.0 %   asked   1.00" in capsys.readouterr().out
