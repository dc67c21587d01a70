"""Which keys have still to show that they work: one request each before the crowd.

Where nothing has shown yet that a project is served, its keys are tried one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable

from curator.keys.key import Key


class Trials:
    """The keys that no answer has proven yet, and whose first request is under way."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._untried = {key.fingerprint for key in keys}
        self._under_way: dict[str, str] = {}
        self._served: set[str] = set()

    @property
    def are_under_way(self) -> bool:
        """Whether an answer is still to come that may prove a key."""
        return bool(self._under_way)

    def may_ask(self, key: Key) -> bool:
        """Return whether a request with ``key`` need not wait for the answer to another."""
        if key.fingerprint not in self._untried:
            return True
        if key.fingerprint in self._under_way:
            return False
        return key.project in self._served or key.project not in self._under_way.values()

    def begin(self, key: Key) -> None:
        """Count a request with ``key``."""
        if key.fingerprint in self._untried:
            self._under_way[key.fingerprint] = key.project

    def prove(self, key: Key) -> None:
        """Let everyone use a key that was taken."""
        if self._untried:
            self._untried.discard(key.fingerprint)
            self._under_way.pop(key.fingerprint, None)
            self._served.add(key.project)

    def end(self, key: Key) -> None:
        """Forget a request that told nothing of its key: the next one is a trial again."""
        self._under_way.pop(key.fingerprint, None)
