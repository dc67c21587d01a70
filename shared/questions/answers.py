"""What makes two answers the same: the normalisation that comes before every metric."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_DROPPED: Final = re.compile(r"[^\w\s]")
_REMEMBERED: Final = 2**17
"""Texts: sets of questions and answers repeat few of them, and are gone through several times."""
_DROPPED_ASCII = "".join(filter(_DROPPED.fullmatch, map(chr, range(128)))).encode()


@lru_cache(maxsize=_REMEMBERED)
def normalise(text: str) -> str:
    """Lower the case, strip, and remove all that is neither part of a word nor white space.

    Marks are parts of words: an accent that is a character of its own, and in Indian scripts the
    vowels. Beyond ASCII, texts are composed first (Unicode's form NFC).
    """
    lower = text.lower().strip()
    if lower.isascii():
        # The same as what follows, in a fraction of the time: nearly all that is read goes by here.
        return lower.encode().translate(None, _DROPPED_ASCII).decode()
    return _DROPPED.sub(_mark, unicodedata.normalize("NFC", lower))


def _mark(dropped: re.Match[str]) -> str:
    """Return what is no letter where it is a mark; nothing for all else."""
    return dropped[0] if unicodedata.category(dropped[0]).startswith("M") else ""


def exact_match(prediction: str, answer: str) -> bool:
    """Return whether both texts are equal once normalised."""
    return normalise(prediction) == normalise(answer)


def words(text: str) -> list[str]:
    """Return the words of the normalised text, cut at white space."""
    return normalise(text).split()


@lru_cache(maxsize=_REMEMBERED)
def spaced(text: str) -> str:
    """Return the words of the normalised text with one space between them."""
    return " ".join(words(text))
