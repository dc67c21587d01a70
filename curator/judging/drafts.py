"""Pairs as they stand in replies: what their fields are called, and their texts cleaned; pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from shared.value_class import value_class

# Also as models call them that were asked in German or Hindi, and hold to no schema.
QUESTION_NAMES: Final = ("question", "q", "frage", "प्रश्न", "सवाल")
ANSWER_NAMES: Final = ("answer", "a", "ans", "antwort", "उत्तर", "जवाब")
ASKS: Final = "|".join(QUESTION_NAMES)
ANSWERS: Final = "|".join(ANSWER_NAMES)
_UNFIT = frozenset({"Cc", "Cs"})


@value_class
class Draft:
    """A question and its answer as they stand in a reply, not yet validated.

    ``difficulty`` is one of ``DIFFICULTIES`` or empty, ``others`` what else the reply says of it,
    by names in small letters. ``style``, and which of several pictures it is about, are known once
    it is validated.
    """

    question: str
    answer: str
    difficulty: str = ""
    style: str = ""
    others: Mapping[str, Any] = field(default_factory=dict, hash=False)
    picture: int = 1


def plain_text(text: str) -> str:
    """Return ``text`` on one line, without control characters and halves of characters."""
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(letter) in _UNFIT else letter for letter in text)
    elif "  " not in text:
        return text.strip()
    return " ".join(text.split())
