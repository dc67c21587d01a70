"""The words of an answer or question."""

from __future__ import annotations

from shared.answers import normalise


def tokens(text: str) -> list[str]:
    """Return the words of the normalised text, cut at white space."""
    return normalise(text).split()
