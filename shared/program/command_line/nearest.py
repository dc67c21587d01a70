"""Which known name was meant by one that is none: what "did you mean" asks, everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Final

_LATER_WORD: Final = 0.95
"""How like a name is of which a later word begins so."""
_INITIALS: Final = 0.9
_WITH_GAPS: Final = 0.85
"""What letters left out count at most: less than two that are turned round."""
_FEWEST_LETTERS: Final = 2
"""One letter abbreviates nothing."""
_LIKENESS: Final = 0.5
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")


def nearest(
    given: str, names: Iterable[str], *, most: int = 1, likeness: float = _LIKENESS
) -> list[str]:
    """Return the names that were most likely meant, the likeliest first.

    People shorten names as often as they misspell them, so a name is also as like as the part of
    it that ``given`` abbreviates, as a name is that begins with it. Case, and which sign stands
    between words, makes no difference.

    Args:
        given: what was typed.
        names: what is known; of those that are equally like, the first comes first.
        most: so many are returned, or fewer.
        likeness: in [0, 1]; how like a name has to be.

    >>> names = ["textvqa", "exact_match", "token_f1"]
    >>> [nearest(given, names) for given in ("exct", "exact_mach", "em", "f1", "zzz")]
    [['exact_match'], ['exact_match'], ['exact_match'], ['token_f1'], []]
    """
    plain = _plain(given)
    ranked = sorted(
        ((_likeness(plain, _plain(name)), name) for name in dict.fromkeys(names)),
        key=lambda each: each[0],
        reverse=True,
    )
    return [name for (how_like, _), name in ranked if how_like >= likeness][:most]


def _plain(name: str) -> str:
    return _BETWEEN_WORDS.sub("_", name.lower()).strip("_")


def _likeness(given: str, name: str) -> tuple[float, float]:
    """Return how like two names are, and how like as a whole, each in [0, 1]."""
    whole = SequenceMatcher(None, name, given, autojunk=False).ratio()
    return max(whole, _as_initials(given, name), *_as_beginnings(given, name)), whole


def _as_beginnings(given: str, name: str) -> Iterator[float]:
    """Yield how like a name is that begins so, has a word that does, or is abbreviated so."""
    if len(given) < _FEWEST_LETTERS:
        return
    words = name.split("_")
    if name.startswith(given):
        yield 1.0
    elif any("_".join(words[place:]).startswith(given) for place in range(1, len(words))):
        yield _LATER_WORD
    elif name[:1] == given[0] and (span := _span(given, name)):
        yield _WITH_GAPS * 2 * len(given) / (len(given) + span)


def _span(given: str, name: str) -> int:
    """Return how far into a name the letters of ``given`` reach in their order; 0 where not."""
    end = 0
    for letter in given:
        end = name.find(letter, end) + 1
        if not end:
            return 0
    return end


def _as_initials(given: str, name: str) -> float:
    initials = "".join(word[:1] for word in name.split("_"))
    return _INITIALS if len(given) >= _FEWEST_LETTERS and given == initials else 0.0
