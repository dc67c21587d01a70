"""Which fields of a listing answer which questions: data in ``agreement.toml``, or a user's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator

from curator.prompts.languages.words import ENGLISH
from shared.program.settings import Settings, load_settings, validated
from shared.program.toml_files import parsed_toml

_FILES: Final = {
    ENGLISH: "agreement.toml",
    "de": "agreement.de.toml",
    "hi": "agreement.hi.toml",
}
MAPPED: Final = tuple(_FILES)
"""The languages of questions, by their codes, for which there is a packaged mapping."""
_BETWEEN: Final = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")


class Subject(Settings):
    """What a question can be about; ``agreement.toml`` says what each of these is for."""

    asked: tuple[str, ...] = Field(min_length=1)
    called: tuple[str, ...] = ()
    fields: tuple[str, ...] = Field(min_length=1)
    in_names: bool = False
    families: tuple[str, ...] = ()

    @field_validator("asked", "called", "families")
    @classmethod
    def _has_words(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(str.split, lines)):
            raise ValueError('"" has no word in it')
        return tuple(line.lower() for line in lines)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches within a question that asks about this."""
        phrases = "|".join(re.escape(" ".join(phrase.split())) for phrase in self.asked)
        return re.compile(rf"\b(?:{phrases})\b")

    @cached_property
    def family_of(self) -> Mapping[str, str]:
        """The family of each word, by the family's first word."""
        return {word: words[0] for words in map(str.split, self.families) for word in words}


class ListingMap(Settings):
    """Subjects in the order in which they are looked for, and where products are named.

    With words that are ``passed_over``, questions are read by their words alone, as those of
    other languages than English are.
    """

    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    general: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    compounds: bool = False
    subject: dict[str, Subject] = Field(min_length=1)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches within a question that asks about any subject."""
        return re.compile("|".join(subject.pattern.pattern for subject in self.subject.values()))

    @cached_property
    def called(self) -> frozenset[str]:
        """What subjects are called."""
        return frozenset(word for subject in self.subject.values() for word in subject.called)

    @cached_property
    def no_products(self) -> frozenset[str]:
        """Words that stand in names of products and name none."""
        subjects = (subject for subject in self.subject.values() if subject.in_names)
        return frozenset(word for subject in subjects for word in subject.family_of)

    def text_of(self, fields: tuple[str, ...], listing: Mapping[str, str]) -> str:
        """Return what a listing, by ``field_key``, says in these fields."""
        return " ".join(listing[key] for key in map(field_key, fields) if key in listing)


# A catalogue has few names, and each listing has them all.
@lru_cache(maxsize=4_096)
def field_key(name: str) -> str:
    """Return what tells a field's name from others: ``baseColour`` is base_colour.

    What stands behind it in brackets says where it is from: ``Color (product.metafields...)``.
    """
    return _BETWEEN.sub("_", name.partition("(")[0] or name).lower().strip("_")


@cache
def packaged_map(language: str = ENGLISH) -> ListingMap | None:
    """Return the mapping for questions in a language, by its code, where a user gives none.

    ``None`` where nothing is known of how listings and questions in it go together.
    """
    if language not in MAPPED:
        return None
    name = _FILES[language]
    return validated(ListingMap, parsed_toml(map_text(language), name), source=name)


def map_text(language: str = ENGLISH) -> str:
    """Return the packaged mapping for a language as it is written."""
    return files("curator.judging.agreeing").joinpath(_FILES[language]).read_text(encoding="utf-8")


def read_map(path: Path | None) -> ListingMap | None:
    """Return the mapping in a user's file; ``None`` without a file, for the packaged ones.

    Raises:
        InputError: the file cannot be used.
    """
    return None if path is None else load_settings(ListingMap, path)
