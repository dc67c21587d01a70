"""How answers are normalised before any metric sees them: the one place that decides it."""

from __future__ import annotations

import re
from typing import Final

_PUNCTUATION: Final = re.compile(r"[^\w\s]")


def normalise(text: str) -> str:
    r"""Return ``text`` in lower case, stripped, without what matches ``[^\w\s]``, in that order.

    Stripping comes first, as published: ``"yes ."`` becomes ``"yes "``, with its space.
    """
    return _PUNCTUATION.sub("", text.lower().strip())


def tokens(text: str) -> list[str]:
    """Return the words of the normalised text, cut at white space."""
    return normalise(text).split()
