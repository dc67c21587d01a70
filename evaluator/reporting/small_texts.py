"""Texts as a page shows them: of one that nobody reads through, the beginning."""

from __future__ import annotations

from typing import Final

LONGEST_TEXT: Final = 2_000
"""Characters; a prediction that repeats itself may have millions."""


def small_text(text: str) -> str:
    """Return the beginning of a long text, and how much more there is.

    >>> small_text("a red lamp")
    'a red lamp'
    >>> small_text("a" * 5_000)[-30:]
    'aaa... (3,000 more characters)'
    """
    more = len(text) - LONGEST_TEXT
    return text if more <= 0 else f"{text[:LONGEST_TEXT]}... ({more:,} more characters)"
