"""Who may be to blame for what fails while others succeed: a key, a model, or the two; pure."""

from __future__ import annotations

from collections import Counter
from enum import Enum, auto
from typing import Final

from shared.value_class import value_class

USELESS_TRIES: Final = 20
"""So many failures, while others succeed, say that nothing will come of a suspect."""


@value_class
class Source:
    """Where a reply came from: a key, by its fingerprint, and the model that was asked."""

    key: str
    model: str


class Suspect(Enum):
    """What of a source is to blame: the key with all models, the model with all keys, or both."""

    KEY = auto()
    MODEL = auto()
    BOTH = auto()


class UsefulSources:
    """Which sources brought a reply that could be used; what fails with another is its fault."""

    def __init__(self) -> None:
        self._useful: set[Source] = set()
        self._failures: Counter[tuple[Suspect, str, str]] = Counter()

    def success(self, source: Source) -> None:
        """A request brought something."""
        self._useful.add(source)

    def is_useful(self, source: Source) -> bool:
        """Whether a source brought something."""
        return source in self._useful

    def failure(self, source: Source) -> Suspect | None:
        """Count a failure; return what of its source alone can be to blame for it, if anything."""
        if source in self._useful or not self._useful:
            return None
        if source.model not in {useful.model for useful in self._useful}:
            suspect = Suspect.MODEL
        elif source.key not in {useful.key for useful in self._useful}:
            suspect = Suspect.KEY
        else:
            suspect = Suspect.BOTH
        self._failures[_named(source, suspect)] += 1
        return suspect

    def is_useless(self, source: Source, suspect: Suspect) -> bool:
        """Whether a suspect failed often enough, while others did not, to be asked no more."""
        return self._failures[_named(source, suspect)] >= USELESS_TRIES


def _named(source: Source, suspect: Suspect) -> tuple[Suspect, str, str]:
    key = "" if suspect is Suspect.MODEL else source.key
    model = "" if suspect is Suspect.KEY else source.model
    return suspect, key, model
