"""Tells when a request really leaves, which is after its connection was made.

What sends requests knows, and what counts them wants to know; between them is the annotator, which
neither of the two concerns.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Final

from shared.value_class import value_class


@value_class
class Departure:
    """Who is to be told of a request: once it waits for a connection, and once it has left."""

    waits: Callable[[], None]
    left: Callable[[], None]


UNTOLD: Final = Departure(lambda: None, lambda: None)
"""Of a request that nobody counts."""
_DEPARTURE: Final[ContextVar[Departure | None]] = ContextVar("departure", default=None)


def told_of(departure: Departure) -> AbstractContextManager[None]:
    """Tell ``departure`` of the request that is made in the block."""
    return _Told(departure)


class _Told(AbstractContextManager[None]):
    """As ``contextmanager`` would make it, in a third of the time."""

    __slots__ = ("_departure", "_token")

    def __init__(self, departure: Departure) -> None:
        self._departure = departure

    def __enter__(self) -> None:
        self._token = _DEPARTURE.set(self._departure)

    def __exit__(self, *_: object) -> None:
        _DEPARTURE.reset(self._token)


def departure_of_request() -> Departure | None:
    """Return who is to be told of the request that is made now."""
    return _DEPARTURE.get()
