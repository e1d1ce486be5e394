"""Commands of the simulator: `regrow simulate run|compare`."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from regrow.cli.options import Json
from regrow.errors import UsageError
from regrow.simulation.allowed import SIZE_MAX

if TYPE_CHECKING:
    from regrow.simulation.compare import Row
    from regrow.simulation.outcome import Outcome
    from regrow.simulation.scenario import Scenario

__all__ = ["simulate"]

simulate = typer.Typer(
    name="simulate",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The coordinator with up to 100,000 workers in virtual time.",
)


@simulate.command(short_help="Run a scenario: a world of workers, costs and losses.")
def run(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A scenario, e.g. scenarios/spot.toml.", show_default=False)] = None,
    like: Annotated[
        Path | None, typer.Option("--like", metavar="RUN", help="Instead: a job like this finished run.", show_default=False)
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="With --like: so many workers.", show_default=False)] = None,
    loss_rate: Annotated[float, typer.Option(metavar="R", help="With --like: losses per worker-hour.")] = 0.0012,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Another seed than the scenario's.", show_default=False)] = None,
    seeds: Annotated[int, typer.Option(metavar="N", help="So many seeds, one after the other.")] = 1,
    rounds: Annotated[int | None, typer.Option(metavar="R", help="Other rounds than the scenario's.", show_default=False)] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="Machines come and go as in this trace.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Run a scenario with the coordinator that ships, in virtual time. Everything follows from the file and the seed.

    While it runs, the coordinator is held to its promises; a broken one, or a value in [holds] that does not hold, ends it with exit code 1
    and the command that repeats it.
    """
    from regrow.simulation.outcome import run_scenario, settled

    if (file is None) == (like is None):
        what = "nothing to simulate" if file is None else f"either {file} or --like {like}"
        raise UsageError(what, "name a scenario, e.g. scenarios/spot.toml; or --like RUN --workers 1000")
    if seeds < 1:
        raise UsageError(f"--seeds {seeds}", "at least 1")
    if rounds is not None and not 1 <= rounds <= SIZE_MAX:
        raise UsageError(f"--rounds {rounds:,}", f"from 1 to {SIZE_MAX:,}")
    if seed is not None and seed < 0:
        raise UsageError(f"--seed {seed}", "not below 0")
    if file is not None and workers is not None:
        raise UsageError("--workers goes with --like", f"{file} says itself how many there are: [machines]")
    if like is not None and trace is not None:
        raise UsageError("--trace goes with a scenario", "with --like: --loss-rate R")
    scenario = _read(file, trace) if file is not None else _like(like, workers, loss_rate)
    first = scenario.seed if seed is None else seed
    what = quote(f"{file}") if file is not None else f"--like {quote(str(like))} --workers {workers} --loss-rate {loss_rate!r}"
    more = (f" --rounds {rounds}" if rounds is not None else "") + (f" --trace {quote(str(trace))}" if trace is not None else "")
    for number in range(first, first + seeds):
        outcome = run_scenario(settled(scenario, seed=number, rounds=rounds), f"regrow simulate run {what} --seed {number}{more}")
        _show(scenario, outcome, json, brief=seeds > 1)


def _read(file: Path, trace: Path | None) -> Scenario:
    from dataclasses import replace

    from regrow.simulation.scenario import read_scenario
    from regrow.simulation.traces import read_trace
    from regrow.simulation.weather import first_machines

    scenario = read_scenario(file)
    if trace is None:
        return scenario
    scale = max(1, round(scenario.machines.count / first_machines(read_trace(trace))))
    return replace(scenario, faults=replace(scenario.faults, trace=str(trace), trace_scale=scale))


def _like(run: Path | None, workers: int | None, loss_rate: float) -> Scenario:
    from regrow.simulation.like import Costed, like
    from regrow.spec import Spec
    from regrow.store.dataset import Dataset
    from regrow.worker import checked_roles

    example = "e.g. --like RUN --workers 1000 --loss-rate 0.24"
    if run is None or workers is None:
        raise UsageError("--like needs --workers", example)
    if not 1 <= workers <= SIZE_MAX or not 0 <= loss_rate < float("inf"):
        wrong = f"--loss-rate {loss_rate:g}" if 1 <= workers <= SIZE_MAX else f"--workers {workers:,}"
        raise UsageError(wrong, f"1 to {SIZE_MAX:,} workers, of which each is lost so many times an hour, 0 or more: {example}")
    costed = Costed(run)
    job = Spec.read(run).job(run.absolute())
    roles = checked_roles(job.load(), Dataset.open(job.data))
    scenario = like(costed, roles, workers=workers, loss_per_hour=loss_rate)
    tasks = sum(work.partitions for work in scenario.roles.values())
    if workers > tasks:
        told = f"the run has {tasks:,} tasks a round, so some of {workers:,} workers have nothing to do"
        print(f"{told}: train with more partitions (--partitions, --grid) to use them", file=sys.stderr, flush=True)
    return scenario


def _show(scenario: Scenario, outcome: Outcome, as_json: bool, *, brief: bool) -> None:
    from dataclasses import asdict

    if as_json:
        from json import dumps

        print(dumps(asdict(outcome)), flush=True)
        return
    if brief:
        print(
            f"seed {outcome.seed}: {outcome.hours:.2f} h, goodput {100 * outcome.goodput:.1f} %, {outcome.workers_lost:,} workers lost, "
            f"{outcome.artifacts_lost:,} artifacts, {outcome.coordinators_lost} coordinators; digest {outcome.digest[:16]}",
            flush=True,
        )
        return
    print(
        f"{scenario.what or 'a scenario'}\n\n"
        f"{outcome.workers:,} workers, {outcome.rounds:,} rounds, {outcome.tasks:,} tasks in {_duration(outcome.hours)} of virtual time\n"
        f"goodput {100 * outcome.goodput:.1f} %, work redone {100 * outcome.redone:.2f} %\n"
        f"lost: {outcome.workers_lost:,} workers ({outcome.frozen:,} froze), {outcome.machines_lost:,} machines ({outcome.notices:,} with "
        f"notice), {outcome.zones_lost} zones, {outcome.artifacts_lost:,} artifacts, {outcome.coordinators_lost} coordinators, "
        f"{outcome.powers_lost} times all power; {outcome.disputes} times attempts differed\n"
        f"{outcome.attempts:,} attempts, {outcome.late_answers:,} late answers, {outcome.copies_again:,} copies made again, "
        f"{outcome.cuts} cuts\n"
        f"digest {outcome.digest}\n\n"
        f"{outcome.events:,} events in {outcome.cpu_seconds:.1f} CPU-s ({outcome.events_per_second:,.0f} a second, the world included), "
        f"{outcome.peak_memory_bytes / 1e9:.2f} GB; the coordinator remembers {outcome.task_bytes_max:.0f} bytes for each worker and task"
    )


def _duration(hours: float) -> str:
    return f"{hours:.2f} hours" if hours >= 0.1 else f"{3600 * hours:.1f} seconds"


@simulate.command(short_help="MPI, MapReduce, Pregel, Spark and regrow, side by side.")
def compare(
    processes: Annotated[str, typer.Option(metavar="N,N,...", help="Numbers of processes.")] = "100,1000,10000",
    rates: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Rates of loss: h100, lecture, google, spot [all].", show_default=False)
    ] = None,
    messages: Annotated[float, typer.Option(metavar="GB", help="Messages of a process in flight in one superstep.")] = 16.0,
    memory: Annotated[float, typer.Option(metavar="GB", help="Memory of a process.")] = 64.0,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw it, too.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Goodput, the share of the time that is progress, while processes are lost: published formulas, and regrow simulated.

    Each formula is named with its source and its assumptions, and was checked against a Monte Carlo simulation.
    """
    from regrow.simulation.compare import assumptions
    from regrow.simulation.compare import compare as compare_all
    from regrow.simulation.formulas import RATES, Assumptions
    from regrow.spec import usable_cores

    counts, chosen = _processes(processes), _rates(rates)
    if not 0 <= messages < float("inf") or not 0 < memory < float("inf"):
        raise UsageError(f"--messages {messages:g} --memory {memory:g}", "gigabytes of one process")
    if plot is not None:
        from regrow.cli.writing import check_picture

        check_picture(plot, "--plot")
    given = Assumptions(message_bytes=messages * 1e9, memory_bytes=memory * 1e9)
    rows = compare_all(counts, chosen, given, lambda line: print(line, file=sys.stderr, flush=True), cores=usable_cores())
    if plot is not None:
        from regrow.simulation.picture import draw

        draw(plot, rows, {rate: name for name, rate in RATES.items()})
    if json:
        from dataclasses import asdict
        from json import dumps

        print(dumps([asdict(row) for row in rows]))
        return
    _print_table(rows, {rate: name for name, rate in chosen.items()})
    print("\nassumed:")
    for line in assumptions(given):
        print(f"  {line}")


def _processes(text: str) -> list[int]:
    try:
        counts = [int(word) for word in text.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1 or max(counts) > SIZE_MAX:
        raise UsageError(f"--processes {text}", f"numbers from 1 to {SIZE_MAX:,} with commas between, e.g. 100,1000,10000")
    return counts


def _rates(text: str | None) -> dict[str, float]:
    from regrow.simulation.formulas import RATES

    if text is None:
        return dict(RATES)
    chosen = {}
    for word in text.split(","):
        found = [name for name in RATES if word.strip() and name.lower().startswith(word.strip().lower())]
        if not found:
            raise UsageError(f"--rates {text}", f"some of: {', '.join(name.split()[0].lower() for name in RATES)}")
        chosen[found[0]] = RATES[found[0]]
    return chosen


def _print_table(rows: list[Row], names: dict[float, str]) -> None:
    counts = list(dict.fromkeys(row.processes for row in rows))
    for rate, name in names.items():
        print(f"\n{name}: {rate:g} losses per process-hour\n{'':20}" + "".join(f"{count:>10,}" for count in counts))
        for system in dict.fromkeys(row.system for row in rows):
            mine = {row.processes: row.goodput for row in rows if row.system == system and row.loss_rate_per_process_hour == rate}
            print(f"  {system:18}" + "".join(f"{100 * mine[count]:9.1f}%" for count in counts))
