"""Tells when a request really leaves, which is after its connection was made.

What sends requests knows, and what counts them wants to know; between them is the annotator, which
neither of the two concerns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import aiohttp


@dataclass(frozen=True, slots=True)
class Departure:
    """Who is to be told of a request: once it waits for a connection, and once it has left."""

    waits: Callable[[], None]
    left: Callable[[], None]


_DEPARTURE: Final[ContextVar[Departure | None]] = ContextVar("departure", default=None)


@contextmanager
def told_of(departure: Departure) -> Iterator[None]:
    """Tell ``departure`` of the request that is made in the block."""
    token = _DEPARTURE.set(departure)
    try:
        yield
    finally:
        _DEPARTURE.reset(token)


def departure_trace() -> aiohttp.TraceConfig:
    """Return what makes a session tell of its requests."""
    import aiohttp  # noqa: PLC0415 - half a second, and not every service is asked through it

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(_waits)
    trace.on_request_chunk_sent.append(_left)
    return trace


async def _waits(*_: object) -> None:
    if departure := _DEPARTURE.get():
        departure.waits()


async def _left(*_: object) -> None:
    if departure := _DEPARTURE.get():
        departure.left()
