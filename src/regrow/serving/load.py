"""A load for a service: requests that come as they please, whether the ones before are answered or not, and what becomes of them.

    python -m regrow.serving.load URL --rate 100 --seconds 10 [--text "..."]

Who waits for an answer before he asks again measures a slow service kindly (coordinated omission): here every request has its moment,
drawn beforehand (Poisson), and its time counts from then on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp

from regrow.serving.forms import DEADLINE, JSON

__all__ = ["Load", "Report"]


@dataclass
class Report:
    """What became of requests.

    seconds     of each, from its moment on
    failed      how many, by what was said
    different   answers that were not the expected bytes
    """

    seconds: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    different: int = 0

    def at(self, share: float) -> float:
        """A quantile in milliseconds, by nearest rank."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan

    @property
    def failed_share(self) -> float:
        """Of all requests."""
        return self.failed.total() / max(1, len(self.seconds))

    def __str__(self) -> str:
        figures = "  ".join(f"p{100 * share:g} {self.at(share):.1f} ms" for share in (0.5, 0.99, 0.999))
        why = f" ({', '.join(f'{n} x {what}' for what, n in self.failed.most_common(3))})" if self.failed else ""
        return f"{len(self.seconds):,} requests  {figures}  failed {100 * self.failed_share:.2f} %{why}"


class Load:
    """Requests to one path of a service. expected: the bytes of the answer to each body, if they are known."""

    def __init__(
        self, url: str, path: str, bodies: Sequence[bytes], expected: Sequence[bytes] | None = None, *, deadline: float = 10.0
    ) -> None:
        self.url, self.bodies, self.expected = url + path, bodies, expected
        self.headers = {"Content-Type": JSON, DEADLINE: f"{1000 * deadline:.0f}"}
        self.deadline = deadline

    async def run(self, rate: float, requests: int, seed: int = 1, meanwhile: Callable[[int], None] | None = None) -> Report:
        """So many requests, on average `rate` a second. meanwhile: called with the number of each, at its moment."""
        chance, report = random.Random(seed), Report()
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            tasks = set()
            moment = time.monotonic()
            for number in range(requests):
                moment += chance.expovariate(rate)
                wait = moment - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                if meanwhile is not None:
                    meanwhile(number)
                task = asyncio.create_task(self._one(session, number % len(self.bodies), moment, report))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.gather(*tasks)
        return report

    async def _one(self, session: aiohttp.ClientSession, which: int, moment: float, report: Report) -> None:
        try:
            async with (
                asyncio.timeout(self.deadline + 2),
                session.post(self.url, data=self.bodies[which], headers=self.headers) as response,
            ):
                found = await response.read()
                if response.status != 200:
                    report.failed[f"HTTP {response.status} {found[:150].decode('utf-8', 'replace')}"] += 1
                elif self.expected is not None and found != self.expected[which]:
                    report.different += 1
        except (OSError, aiohttp.ClientError) as error:
            report.failed[type(error).__name__] += 1
        report.seconds.append(time.monotonic() - moment)


def main() -> None:
    """Load a service of topics, and say what became of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--text", default="a socket that waits for connections")
    asked = parser.parse_args()
    body = json.dumps({"texts": [asked.text]}).encode()
    print(asyncio.run(Load(asked.url.rstrip("/"), "/v1/topics", [body]).run(asked.rate, int(asked.rate * asked.seconds))))


if __name__ == "__main__":
    main()
