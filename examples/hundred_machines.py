"""Of a hundred machines five hang and five are slow; the first answer of the others goes to the user at once.

python examples/hundred_machines.py
"""

import asyncio
import time

import regrow

MACHINES, REQUESTS, DEADLINE, MODES = range(100), 300, 0.5, ("off", "all", "hedge")
hang, slow = set(range(0, 50, 10)), set(range(5, 55, 10))
asked = 0


async def ask(machine: int) -> str:
    """A machine of the hundred."""
    global asked
    asked += 1
    await asyncio.sleep(3600 if machine in hang else 0.2 if machine in slow else 0.005)
    return f"an answer from machine {machine}"


async def measure(mode: str) -> None:
    """Ask so many times, and tell how long it took, how often nobody answered, and how many machines were asked for it."""
    global asked
    asked, seconds, failed = 0, [], 0
    hedge = regrow.Hedge(mode)
    for _ in range(REQUESTS):
        began = time.perf_counter()
        try:
            await hedge.first([lambda m=m: ask(m) for m in MACHINES], deadline=DEADLINE)  # type: ignore[misc]
        except TimeoutError:
            failed += 1
        seconds.append(time.perf_counter() - began)
    p50, p99 = (1000 * sorted(seconds)[int(share * REQUESTS)] for share in (0.5, 0.99))
    cost = f"failed {100 * failed / REQUESTS:4.1f} %   asked {asked / REQUESTS:6.2f} machines a request"
    print(f"{mode:6} p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   {cost}")


async def main() -> None:
    """One request, asked of all, and then many, asked in each way."""
    print(await regrow.first([lambda m=m: ask(m) for m in MACHINES], deadline=DEADLINE, mode="all"))  # type: ignore[misc]
    for mode in MODES:
        await measure(mode)


if __name__ == "__main__":
    asyncio.run(main())
