"""Which keys have still to show that they work: one request each before the crowd.

So has each model of each project: where nothing has shown yet that it is served there, one request
at a time asks.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.endpoints.keys.key import Key
from shared.endpoints.pool.records import Meter


class Trials:
    """The keys and models that no answer has proven yet, and whose first request is under way."""

    def __init__(self, keys: Iterable[Key]) -> None:
        untried = list(keys)
        self._untried = {key.fingerprint for key in untried}
        self._projects = frozenset(key.project for key in untried)
        self._served: set[Meter] = set()
        # Of each key, and of each model of a project, one first request may be under way.
        self._keys: dict[str, Meter] = {}
        self._meters: dict[Meter, str] = {}

    @property
    def are_under_way(self) -> bool:
        """Whether an answer is still to come that may prove a key or a model."""
        return bool(self._keys or self._meters)

    def may_ask(self, key: Key, meter: Meter) -> bool:
        """Return whether a request need not wait for the answer to another."""
        return key.fingerprint not in self._keys and meter not in self._meters

    def begin(self, key: Key, meter: Meter) -> None:
        """Count a request."""
        if key.fingerprint in self._untried:
            self._keys[key.fingerprint] = meter
        if meter.project in self._projects and meter not in self._served:
            self._meters[meter] = key.fingerprint

    def prove(self, key: Key, meter: Meter) -> None:
        """Let everyone use a key that was taken, and a model that is served."""
        self._untried.discard(key.fingerprint)
        self._served.add(meter)
        self.end(key, meter)

    def end(self, key: Key, meter: Meter) -> None:
        """Forget a request that told nothing of its key: the next one is a trial again."""
        if self._keys.get(key.fingerprint) == meter:
            del self._keys[key.fingerprint]
        if self._meters.get(meter) == key.fingerprint:
            del self._meters[meter]

    def drop(self, key: Key) -> None:
        """Forget a key that has left."""
        for meter in [meter for meter, by in self._meters.items() if by == key.fingerprint]:
            self.end(key, meter)
        self._keys.pop(key.fingerprint, None)
