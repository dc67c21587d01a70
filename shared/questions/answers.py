"""What makes two answers the same: the normalisation that comes before every metric."""

from __future__ import annotations

import re

_DROPPED = re.compile(r"[^\w\s]")


def normalise(text: str) -> str:
    """Lower the case, strip, and remove all that is neither word character nor white space."""
    return _DROPPED.sub("", text.lower().strip())


def exact_match(prediction: str, answer: str) -> bool:
    """Return whether both texts are equal once normalised."""
    return normalise(prediction) == normalise(answer)


def words(text: str) -> list[str]:
    """Return the words of the normalised text, cut at white space."""
    return normalise(text).split()


def spaced(text: str) -> str:
    """Return the words of the normalised text with one space between them."""
    return " ".join(words(text))
