"""Whether a question offers its answer as a choice: "Is the lid open or closed?"; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

LONGEST_CHOICE: Final = 2
"""Words of a choice in a list with commas; what is longer is the clause that leads to the list."""
_OR: Final = re.compile(r",?\s+or\s+", re.IGNORECASE)
_NO_CHOICE: Final = frozenset({"less", "more", "not", "so"})
""""One or more" and the like offer nothing."""
_LEADING: Final = frozenset({"a", "an", "the", "in", "on", "at", "to", "is", "it", "does", "are"})


def offers(question: str, answer: Sequence[str]) -> bool:
    """Return whether ``question`` offers the words of ``answer`` on one side of an "or"."""
    clauses = _OR.split(question.rstrip(" ?.!"))
    for before, after in pairwise(clauses):
        last = _without_lead(_words(after))
        if not last or last[0] in _NO_CHOICE:
            continue
        if any(_is_choice(answer, first, last) for first in _before_or(before)):
            return True
        if last[: len(answer)] == list(answer):
            return True
    return False


def _before_or(clause: str) -> Iterator[list[str]]:
    """Yield the choices that stand before an "or", nearest first; the last with its clause."""
    for part in reversed(clause.split(",")):
        words = _words(part)
        yield words
        if len(_without_lead(words)) > LONGEST_CHOICE:
            return


def _is_choice(answer: Sequence[str], first: list[str], last: list[str]) -> bool:
    """Return whether ``first`` ends with ``answer``, or with it and what both choices end with.

    In "on the left side or the right side", that is "side".
    """
    for shared in range(LONGEST_CHOICE):
        tail = first[len(first) - shared :]
        if last[len(last) - shared :] != tail:
            return False
        head = first[: len(first) - shared]
        if head[-len(answer) :] == list(answer):
            return True
    return False


def _without_lead(words: list[str]) -> list[str]:
    start = next((at for at, word in enumerate(words) if word not in _LEADING), len(words))
    return words[start:]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
