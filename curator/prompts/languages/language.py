"""What the rules know of a language: data in ``languages.toml``, and what follows from it; pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib.resources import files
from typing import Annotated, Final

from pydantic import Field, field_validator

from curator.prompts.languages.words import words_of
from shared.program.command_line.nearest import nearest
from shared.program.settings import Settings, validated
from shared.program.toml_files import parsed_toml

_FILE: Final = "languages.toml"
_Words = tuple[str, ...]


class Language(Settings):
    """A language by its words; ``languages.toml`` says what each is for.

    Without ``question_words`` and ``starts``, the letters alone tell that a text is in it.
    """

    name: str = Field(min_length=1)
    scripts: tuple[str, ...] = Field(("LATIN",), min_length=1)
    question_words: _Words = ()
    starts: _Words = ()
    yes: tuple[str, ...] = Field(min_length=1)
    no: tuple[str, ...] = Field(min_length=1)
    unknown: str = Field(min_length=1)
    unanswerable: str = Field(min_length=1)
    refusals: _Words = ()
    numbers: dict[str, int] = Field({})
    articles: _Words = ()
    or_words: _Words = ()
    no_choice: _Words = ()
    leading: _Words = ()
    folded: dict[Annotated[str, Field(min_length=1, max_length=1)], str] = Field({})

    @field_validator("scripts")
    @classmethod
    def _is_a_script(cls, scripts: tuple[str, ...]) -> tuple[str, ...]:
        for script in scripts:
            if not script.isupper() or not script.isascii():
                raise ValueError(
                    f'{script!r} is no script; write it as "LATIN", "CYRILLIC" or "HAN"'
                )
        return scripts

    @property
    def fault(self) -> str:
        """What in it cannot be meant; empty where all fits."""
        for name, words in (("yes", self.yes), ("no", self.no), ("refusals", self.refusals)):
            if not all(map(words_of, words)):
                return f"{name}: holds a text without a word"
        both = sorted(self._affirming & self._denying)
        return f"{both[0]!r} is both yes and no" if both else ""

    def is_written_in(self, text: str) -> bool:
        """Return whether every letter of ``text`` is of the language's scripts."""
        if text.isascii():
            return "LATIN" in self.scripts or not any(map(str.isalpha, text))
        return all(
            unicodedata.name(letter, "").startswith(self.scripts)
            for letter in text
            if letter.isalpha()
        )

    def asks(self, question: Sequence[str]) -> bool:
        """Return whether the words of a question are of this language."""
        starting, asking = self._starting, self._asking
        if question[0] in starting or not asking.isdisjoint(question):
            return True
        return not starting and not asking

    def refuses(self, answer: Sequence[str]) -> bool:
        """Return whether the words of an answer answer nothing."""
        plain = " ".join(answer)
        return (plain.translate(self._folding) if self.folded else plain) in self._refusing

    def truth(self, answer: str) -> bool | None:
        """Return what a yes or no means; ``None`` for anything else."""
        plain = self._plain(answer)
        return True if plain in self._affirming else False if plain in self._denying else None

    def number(self, answer: str) -> str:
        """Return a number, in digits or words, in ASCII's digits; empty for anything else."""
        plain = self._plain(answer)
        digits = self._counting.get(plain, plain)
        if not digits.isdecimal():
            return ""
        # Not through int: a model may repeat a digit for ever.
        return "".join(str(unicodedata.decimal(digit)) for digit in digits).lstrip("0") or "0"

    def is_same(self, one: str, other: str) -> bool:
        """Return whether two answers say the same: whatever their case, marks and articles.

        Numbers are the same in digits and in words, and so are all that answer nothing.
        """
        return self._compared(one) == self._compared(other)

    def _compared(self, answer: str) -> str:
        plain = self._plain(answer)
        if plain in self._refusing:
            return self.unknown
        if number := self.number(answer):
            return number
        words = plain.split()
        while len(words) > 1 and words[0] in self._articles:
            words = words[1:]
        return " ".join(words)

    def _plain(self, text: str) -> str:
        words = " ".join(words_of(text))
        return words.translate(self._folding) if self.folded else words

    @cached_property
    def _folding(self) -> Mapping[int, str]:
        return str.maketrans(dict(self.folded))

    @cached_property
    def _asking(self) -> frozenset[str]:
        return frozenset(word for text in self.question_words for word in words_of(text))

    @cached_property
    def _starting(self) -> frozenset[str]:
        return frozenset(word for text in self.starts for word in words_of(text))

    @cached_property
    def _refusing(self) -> frozenset[str]:
        return frozenset(map(self._plain, (*self.refusals, self.unknown, self.unanswerable)))

    @cached_property
    def _affirming(self) -> frozenset[str]:
        return frozenset(map(self._plain, self.yes))

    @cached_property
    def _denying(self) -> frozenset[str]:
        return frozenset(map(self._plain, self.no))

    @cached_property
    def _articles(self) -> frozenset[str]:
        return frozenset(map(self._plain, self.articles))

    @cached_property
    def _counting(self) -> Mapping[str, str]:
        return {self._plain(word): str(value) for word, value in self.numbers.items()}


@cache
def known_languages() -> Mapping[str, Language]:
    """Return the languages that this release knows, by their codes."""
    text = files("curator.prompts.languages").joinpath(_FILE).read_text(encoding="utf-8")
    tables = parsed_toml(text, _FILE)
    return {
        code: validated(Language, table, source=f"{_FILE}: {code}")
        for code, table in tables.items()
    }


def language_of(code: str) -> Language:
    """Return the language with a code such as "de".

    Raises:
        ValueError: it is not known; those that are, are named.
    """
    known = known_languages()
    if code not in known:
        named = {language.name.lower(): code for code, language in known.items()}
        near = named.get(code.lower()) or "".join(nearest(code, known, likeness=0.6))
        hint = f"did you mean {near!r}? " if near else ""
        raise ValueError(
            f"{code!r} is no language that is known; {hint}there are {', '.join(known)}, "
            "or describe it in a table [language]"
        )
    return known[code]
