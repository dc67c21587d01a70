"""How VQA's evaluation treats a text before it compares it, and how TextVQA's and VizWiz's do.

The rules are those of https://visualqa.org/evaluation.html in the order of the authors' script; its
tables stand in ``vqa_words.toml``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

from shared.program.toml_files import read_toml

_GROUPED_DIGITS: Final = re.compile(r"\d,\d")
_PERIOD: Final = re.compile(r"\.(?!\d)")
_PERIODS: Final = 32
"""So many the script removes: it hands over a flag, ``re.UNICODE``, as their number."""


@dataclass(frozen=True)
class _Words:
    punctuation: str
    articles: frozenset[str]
    numbers: Mapping[str, str]
    contractions: Mapping[str, str]
    vizwiz_contractions: Mapping[str, str]

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        without_one = {
            word[:place] + word[place + 1 :]: word
            for word in table["contractions"].split()
            for place, letter in enumerate(word)
            if letter == "'"
        }
        known = without_one | table["spellings"]
        straight = frozenset(table["vizwiz"]["straight"].split())
        return cls(
            table["punctuation"],
            frozenset(table["articles"]),
            table["numbers"],
            known,
            {
                word if word in straight else _curly(word): whole
                if whole in straight
                else _curly(whole)
                for word, whole in known.items()
            },
        )


def _curly(word: str) -> str:
    return word.replace("'", "\u2019")


@cache
def _words() -> _Words:
    return _Words.of(read_toml(Path(__file__).with_name("vqa_words.toml")))


def vqa_form(text: str) -> str:
    """Return a text as VQA compares it.

    In lower case, punctuation made space or nothing, number words up to ten as digits, no
    articles, contractions with their apostrophe.
    """
    return _form(text, _words().contractions)


def vizwiz_form(text: str) -> str:
    """Return an answer as VizWiz's script compares it: most apostrophes of its table are curly."""
    return _form(text, _words().vizwiz_contractions)


def _form(text: str, contractions: Mapping[str, str]) -> str:
    known = _words()
    digits = (known.numbers.get(w, w) for w in _without_punctuation(text).lower().split())
    return " ".join(contractions.get(w, w) for w in digits if w not in known.articles)


def textvqa_form(text: str) -> str:
    """Return a text as TextVQA's server compares it: an ending 's stands alone, commas go first."""
    plain = text.lower().replace(",", "").replace("?", "").replace("'s", " 's")
    return vqa_form(plain.strip())


def _without_punctuation(text: str) -> str:
    """Return a text without punctuation but apostrophes, colons and points of decimals.

    A mark becomes a space, or nothing where it stands beside a space or commas group digits.
    """
    text = " ".join(text.split())
    grouped = _GROUPED_DIGITS.search(text) is not None
    plain = text
    for mark in _words().punctuation:
        if mark in text:
            beside_space = f"{mark} " in text or f" {mark}" in text
            plain = plain.replace(mark, "" if grouped or beside_space else " ")
    return _PERIOD.sub("", plain, count=_PERIODS)
