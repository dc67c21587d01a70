"""The hosts that are asked, each with its URLs, and when each may be asked again; pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

MOST_TRIES: Final = 3
LONGEST_REST_S: Final = 600.0
"""A host that wants to be left alone for longer is left for another run."""
MOST_SILENCES: Final = 8
"""Failures in a row without an answer, after which a host's other URLs are not tried."""


@dataclass(slots=True)
class HostQueue:
    """The URLs of one host, with how often each was tried.

    ``rests_until`` is in seconds since the epoch, ``rests`` how often in a row it was left alone.
    ``is_put_off`` says that the host wants that for long, ``silences`` how many requests in a row
    nobody answered.
    """

    name: str
    waiting: deque[tuple[str, int]] = field(default_factory=deque)
    rests_until: float = 0.0
    rests: int = 0
    is_put_off: bool = False
    silences: int = 0

    @property
    def is_silent(self) -> bool:
        """Whether nobody answers there."""
        return self.silences >= MOST_SILENCES

    def succeeded(self) -> None:
        """Count from anew: the host gives pictures."""
        self.silences = self.rests = 0

    def rest(self, asked_s: float, jitter: float, now: float) -> None:
        """Leave the host alone for ``asked_s``, if it asks for that, else longer each time.

        ``jitter`` is from 0.5 to 1. What asks for too long is left for another run.
        """
        if now >= self.rests_until:
            # Requests that were under way together are one reason to rest.
            self.rests += 1
        seconds = asked_s or jitter * 2.0**self.rests
        self.is_put_off = self.is_put_off or seconds > LONGEST_REST_S
        self.rests_until = max(self.rests_until, now + seconds)


def by_host(urls: Iterable[str]) -> list[HostQueue]:
    """Return URLs by the host that each begins at, in order; one that has none is among "" ."""
    hosts: dict[str, HostQueue] = {}
    for url in urls:
        name = _host_of(url)
        hosts.setdefault(name, HostQueue(name)).waiting.append((url, 0))
    return list(hosts.values())


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
