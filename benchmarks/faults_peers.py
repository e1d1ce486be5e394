"""Those who stand beside regrow in `faults.py`, each in a process of its own, each recovering in the way that its users write.

    python benchmarks/faults_peers.py NAME ROUNDS PARTITIONS SIZE WORKERS FOLDER

`pool`      concurrent.futures.ProcessPoolExecutor: a killed worker breaks the pool (BrokenProcessPool); a new pool does the round again
`joblib`    joblib.Parallel (loky): a killed worker fails the call (TerminatedWorkerError); the round is done again
`ray`       one task for each partition and round, max_retries=-1
`mpi`       mpi4py: every rank has its share of the partitions, sums are gathered; rank 0 saves the centers after each round. A killed rank
            ends the job; it is started again from the saved centers

FOLDER/begun is written when the first round begins, FOLDER/ended when the last has ended, with the digest.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from faults_algorithm import Array, digest, first_centers, moved, partial

SETTINGS = {
    "pool": "max_workers=4, fork; on BrokenProcessPool a new pool and the round again",
    "joblib": "n_jobs=4, loky; on TerminatedWorkerError the round again",
    "ray": "num_cpus=4, @ray.remote(max_retries=-1), centers by ray.put, no dashboard",
    "mpi": "mpirun -n 4 --oversubscribe; rank 0 saves the centers after each round; a dead job is started again from there",
}
PACKAGES = {"pool": "", "joblib": "joblib", "ray": "ray", "mpi": "mpi4py"}

Round = Callable[[Array], Array]


def version_of(name: str) -> str | None:
    """The version of a peer; None if it is not installed."""
    if not PACKAGES[name]:
        return f"Python {sys.version.split()[0]}"
    try:
        return version(PACKAGES[name])
    except PackageNotFoundError:
        return None


def drive(round: Round, rounds: int, folder: Path) -> None:
    """One round to have everybody there, then all of them, between two notes of the time."""
    centers = first_centers()
    round(centers)
    note(folder / "begun", "")
    for _ in range(rounds):
        centers = round(centers)
    note(folder / "ended", digest(centers))


def note(path: Path, text: str) -> None:
    """Note a time, the first time only."""
    if not path.exists():
        path.write_text(f"{time.time()} {text}")


def pool(rounds: int, partitions: int, size: int, workers: int, folder: Path) -> None:
    """concurrent.futures."""
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    made = [ProcessPoolExecutor(workers)]

    def round(centers: Array) -> Array:
        while True:
            try:
                return moved(made[0].map(partial, range(partitions), [size] * partitions, [centers] * partitions), centers)
            except BrokenProcessPool:
                made[0].shutdown(wait=False, cancel_futures=True)
                made[0] = ProcessPoolExecutor(workers)

    drive(round, rounds, folder)
    made[0].shutdown()


def joblib(rounds: int, partitions: int, size: int, workers: int, folder: Path) -> None:
    """joblib, whose workers stay from round to round."""
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError

    def round(centers: Array) -> Array:
        while True:
            try:
                return moved(Parallel(workers)(delayed(partial)(index, size, centers) for index in range(partitions)), centers)
            except (TerminatedWorkerError, BrokenProcessPool):
                continue

    drive(round, rounds, folder)


def ray(rounds: int, partitions: int, size: int, workers: int, folder: Path) -> None:
    """Ray tasks."""
    import ray as library

    library.init(address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="error")
    task: Any = library.remote(max_retries=-1)(partial)

    def round(centers: Array) -> Array:
        told = library.put(centers)
        return moved(library.get([task.remote(index, size, told) for index in range(partitions)]), centers)

    drive(round, rounds, folder)
    library.shutdown()


def mpi(rounds: int, partitions: int, size: int, workers: int, folder: Path) -> None:
    """One rank of an MPI job."""
    import numpy as np
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    saved = folder / "centers.npz"
    done, centers = 0, first_centers()
    if saved.exists():
        with np.load(saved) as found:
            done, centers = int(found["done"]), found["centers"]
    mine = range(world.rank, partitions, world.size)
    world.allgather([partial(index, size, centers) for index in mine])
    if world.rank == 0:
        note(folder / "begun", "")
    for number in range(done, rounds):
        shares = world.allgather([partial(index, size, centers) for index in mine])
        parts = [shares[index % world.size][index // world.size] for index in range(partitions)]
        centers = moved(parts, centers)
        if world.rank == 0:
            aside = folder / "aside.npz"
            np.savez(aside, done=number + 1, centers=centers)
            aside.replace(saved)
    if world.rank == 0:
        note(folder / "ended", digest(centers))


if __name__ == "__main__":
    name, *numbers, place = sys.argv[1:7]
    {"pool": pool, "joblib": joblib, "ray": ray, "mpi": mpi}[name](*map(int, numbers), Path(place))
