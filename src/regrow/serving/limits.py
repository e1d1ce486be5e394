"""What a service takes at most, unless it is told otherwise."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """body_bytes: of a request; items: documents or rows of a request; item_bytes: of one of them; words: of one document.

    at_once     requests that a replica works on in turns; waiting: those that wait besides; more are refused at once
    body_seconds        for a body to come, for the next lines of a batch, and for more of an answer to be taken
    bodies_bytes        of all bodies together that are still coming
    deadline_seconds    of a request that says none; deadline_max_seconds: the longest one
    drain_seconds       for requests under way when the service ends
    connections     that are open at once; idle_seconds: for the first request of one to come, and for the next one
    backlog     connections that wait to be taken
    line_bytes          of a line of a batch
    """

    body_bytes: int = 8 << 20
    items: int = 1024
    item_bytes: int = 4 << 20
    words: int = 100_000
    at_once: int = 4
    waiting: int = 8
    deadline_seconds: float = 10.0
    deadline_max_seconds: float = 300.0
    drain_seconds: float = 20.0
    backlog: int = 1024
    line_bytes: int = 1 << 20
    body_seconds: float = 30.0
    bodies_bytes: int = 256 << 20
    connections: int = 1024
    idle_seconds: float = 75.0
