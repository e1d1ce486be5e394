"""regrow serve."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from regrow.cli.options import Json
from regrow.errors import UsageError

__all__ = ["serve"]

NEEDS = ("aiohttp", "msgspec", "prometheus_client")


def serve(
    model: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="A finished run, or a model folder.", show_default=False)] = None,
    replicas: Annotated[int, typer.Option(metavar="N", help="Processes that answer; the model is in memory once.")] = 2,
    replica: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Instead of a RUN: services elsewhere that answer; several times.", show_default=False),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Take up each model that is newly published in RUN.")] = False,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="Where to listen; 0: any.")] = 8000,
    token_file: Annotated[Path | None, typer.Option(metavar="FILE", help="A token that clients must send.", show_default=False)] = None,
    replica_token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The token that the services of --replica ask for.", show_default=False)
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Let anybody on the network ask without a token.")] = False,
    mode: Annotated[
        str, typer.Option(metavar="NAME", help="hedge: another replica when the answer is late; race: --copies at once; all; off.")
    ] = "hedge",
    copies: Annotated[int, typer.Option(metavar="K", help="Replicas that --mode race asks at once.")] = 2,
    extra: Annotated[float, typer.Option(metavar="SHARE", help="Attempts that hedging may add, for each request.")] = 0.10,
    deadline: Annotated[float, typer.Option(metavar="SECONDS", help="For requests that say none.")] = 10.0,
    drain: Annotated[float, typer.Option(metavar="SECONDS", help="For requests under way when the service ends.")] = 20.0,
    connections: Annotated[
        int,
        typer.Option(metavar="N", help="Connections that may be open; one more takes the place of a silent one, or is refused."),
    ] = 1024,
    idle: Annotated[float, typer.Option(metavar="SECONDS", help="For the first request of a connection to come, and for the next.")] = 75.0,
    json: Json = False,
) -> None:
    """Serve a model over HTTP by several processes, hedged: the first answer goes out, whoever is slow, frozen or killed.

    POST /v1/topics, clicks, ranks or projections, as the model is, and /v1/batch; GET /docs says the rest. SIGHUP, or POST /admin/reload:
    take up what RUN holds now.
    SIGTERM, Ctrl-C: let requests under way end, then leave. --json prints one line when it answers.
    """
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"serving needs {', '.join(missing)}", "pip install 'regrow[serve]'")
    if (model is None) == (not replica):
        either = "name a RUN, or services that answer: --replica URL"
        raise UsageError("what is to be served?", either if model is None else f"{either}; not both")
    if follow and model is None:
        raise UsageError("--follow without a RUN", "services elsewhere follow theirs: start them with --follow")
    _check(replicas, port, deadline, drain, replica or [])
    if not extra >= 0:
        raise UsageError(f"--extra {extra:g}", "a share of the requests, from 0 on, e.g. 0.10")
    if copies < 1:
        raise UsageError(f"--copies {copies}", "from 1 on")
    if connections < 1:
        raise UsageError(f"--connections {connections}", "from 1 on")
    if not 0 < idle <= 3600:
        raise UsageError(f"--idle {idle:g}", "seconds, at most 3600")

    from dataclasses import replace

    from regrow.serving.guarding import check_host, is_loopback, read_token
    from regrow.serving.limits import Limits
    from regrow.serving.service import Asked, run

    token = read_token(token_file) if token_file is not None else ""
    check_host(host)
    if not is_loopback(host) and not token and not insecure:
        raise UsageError(
            f"--host {host} lets others on the network ask", "give --token-file FILE, which they must know; or --insecure to let anybody"
        )
    limits = replace(Limits(), deadline_seconds=deadline, drain_seconds=drain, connections=connections, idle_seconds=idle)
    remote_token = read_token(replica_token_file) if replica_token_file is not None else ""
    urls = tuple(replica or ())
    run(Asked(model, replicas, urls, remote_token, follow, host, port, token, mode, copies, extra, json, limits))


def _check(replicas: int, port: int, deadline: float, drain: float, urls: list[str]) -> None:
    if not 1 <= replicas <= 256:
        raise UsageError(f"--replicas {replicas}", "from 1 to 256; two or more, so that there is another one to ask")
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port}", "from 0 to 65535")
    if not 0 < deadline <= 300:
        raise UsageError(f"--deadline {deadline:g}", "seconds, at most 300")
    if not 0 <= drain <= 3600:
        raise UsageError(f"--drain {drain:g}", "seconds, at most 3600")
    from regrow.serving.client import check_url

    for url in urls:
        try:
            check_url(url)
        except UsageError as error:
            raise UsageError(f"--replica {error.message}", error.advice.replace("127.0.0.1", "10.0.0.7")) from None
    if len(set(urls)) < len(urls):
        raise UsageError("--replica names a service twice", "once is enough: attempts of one request go to different ones")
