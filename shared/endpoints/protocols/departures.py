"""Tells when a request really leaves, which is after its connection was made.

What sends requests knows, and what counts them wants to know; between them is the annotator, which
neither of the two concerns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


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


def departure_of_request() -> Departure | None:
    """Return who is to be told of the request that is made now."""
    return _DEPARTURE.get()
