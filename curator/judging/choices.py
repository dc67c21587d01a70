"""Whether a question offers its answer as a choice: "Is the lid open or closed?"; pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from curator.prompts.languages.language import Language
from curator.prompts.languages.words import words_of

LONGEST_CHOICE: Final = 2
"""Words of a choice in a list with commas; what is longer is the clause that leads to the list."""


@lru_cache(maxsize=8)
def _between(or_words: tuple[str, ...]) -> re.Pattern[str]:
    """Return what stands between choices."""
    words = "|".join(map(re.escape, or_words))
    return re.compile(rf",?\s+(?:{words})\s+", re.IGNORECASE)


def offers(question: str, answer: Sequence[str], language: Language) -> bool:
    """Return whether ``question`` offers the words of ``answer`` on one side of an "or"."""
    if not language.or_words:
        return False
    leading = language.leading
    clauses = _between(language.or_words).split(question.rstrip(" ?.!"))
    for before, after in pairwise(clauses):
        last = _without_lead(words_of(after), leading)
        # "One or more" and the like offer nothing.
        if not last or last[0] in language.no_choice:
            continue
        if any(_is_choice(answer, first, last) for first in _before_or(before, leading)):
            return True
        if last[: len(answer)] == list(answer):
            return True
    return False


def _before_or(clause: str, leading: Collection[str]) -> Iterator[list[str]]:
    """Yield the choices that stand before an "or", nearest first; the last with its clause."""
    for part in reversed(clause.split(",")):
        words = words_of(part)
        yield words
        if len(_without_lead(words, leading)) > LONGEST_CHOICE:
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


def _without_lead(words: list[str], leading: Collection[str]) -> list[str]:
    start = next((at for at, word in enumerate(words) if word not in leading), len(words))
    return words[start:]
