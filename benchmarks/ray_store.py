"""Where should artifacts lie on a cluster: in Ray's object store, or in files of the nodes that are served by range?

    python benchmarks/ray_store.py [--megabytes 64] [--sections 16] [--times 5]

Two nodes on this machine. One makes an artifact (messages to as many receivers as there are sections); the other reads one section of
it, as a task does, or takes a copy of all, as the coordinator does. Ray: a task returns the artifact, owned by the driver; the other
node's actor gets it. Files: `far.ranges` over TCP. Seconds, median.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ray_nodes import Nodes

from regrow.far.ranges import RangeServer, Reader
from regrow.store.container import Container, write


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("megabytes", 64), ("sections", 16), ("times", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    size, rows = asked.megabytes * 1_000_000, []
    nodes = Nodes(store_bytes=max(300_000_000, 4 * size))
    try:
        nodes.have(2)
        rows.append(("Ray's object store", *by_ray(nodes, size, asked.sections, asked.times)))
        rows.append(("files, by range", *by_range(size, asked.sections, asked.times)))
    finally:
        nodes.close()
    print(f"an artifact of {asked.megabytes} MB in {asked.sections} sections, to another node\n")
    print(f"{'':20} one section ms     all of it ms")
    for name, one, whole in rows:
        print(f"{name:20} {1000 * one:14.1f} {1000 * whole:16.1f}")


def by_ray(nodes: Nodes, size: int, sections: int, times: int) -> tuple[float, float]:
    """Seconds for one section, and for all: an object is pulled whole whatever is read of it."""
    import ray

    ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")
    here, there = ({"ray.io/node-id": node} for node in nodes.ids())

    @ray.remote(num_cpus=0)
    def make(number: int) -> Any:
        return np.full(size // sections * sections, number, np.uint8)

    @ray.remote(num_cpus=0)
    class Elsewhere:
        def section(self, refs: list[Any]) -> float:
            began = time.perf_counter()
            array = ray.get(refs[0])
            array[: size // sections].copy()
            return time.perf_counter() - began

        def whole(self, refs: list[Any]) -> float:
            began = time.perf_counter()
            ray.get(refs[0]).copy()
            return time.perf_counter() - began

    reader = Elsewhere.options(label_selector=there).remote()
    found: dict[str, list[float]] = {"section": [], "whole": []}
    for number in range(times + 1):
        for name, seconds in found.items():
            ref = make.options(label_selector=here).remote(number)
            ray.wait([ref], fetch_local=False)
            taken = ray.get(getattr(reader, name).remote([ref]))
            if number:  # the first opens connections
                seconds.append(taken)
    ray.shutdown()
    return statistics.median(found["section"]), statistics.median(found["whole"])


def by_range(size: int, sections: int, times: int) -> tuple[float, float]:
    """The same through a server of ranges; what is read is checked."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made"
        made = {f"to/x/{part}": {"a": np.full(size // sections, part, np.uint8)} for part in range(sections)}
        write(path, made, {})
        server, reader = RangeServer("127.0.0.1", "token"), Reader("token")
        server.serve({"made": Path(folder)})
        start, end = Container(path).span("to/x/3")

        def section() -> None:
            reader.header(server.address, "made/made")
            reader.read(server.address, "made/made", start, end - start)

        def whole() -> None:
            target = Path(folder) / "copy"
            reader.fetch(server.address, "made/made", target)
            Container(target).check_all()
            target.unlink()

        found = median(section, times), median(whole, times)
        reader.close()
        server.close()
    return found


def median(what: Callable[[], None], times: int) -> float:
    """Of so many times, after one that is not counted."""
    seconds = []
    for _ in range(times + 1):
        began = time.perf_counter()
        what()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
