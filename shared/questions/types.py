"""What a question asks for, by the rules of its language: data in ``types.CODE.toml``."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from shared.program.toml_files import parsed_toml
from shared.questions.answers import normalise
from shared.questions.folding import american
from shared.value_class import value_class

OTHER: Final = "other"

_ENGLISH: Final = "en"
_LANGUAGES: Final = (_ENGLISH, "de", "hi")


@value_class
class TypeRules:
    """The types of one language, read from top to bottom, and the words that it is known by."""

    language: str
    known_by: frozenset[str]
    types: tuple[tuple[str, re.Pattern[str]], ...]

    def type_of(self, text: str) -> str:
        """Return the first type that fits, or ``OTHER``."""
        return next((name for name, rule in self.types if rule.search(text)), OTHER)


@cache
def type_rules() -> tuple[TypeRules, ...]:
    """Return the rules of every language that has some, English first."""
    return tuple(map(_read, _LANGUAGES))


def _read(code: str) -> TypeRules:
    text = files("shared.questions").joinpath(f"types.{code}.toml").read_text(encoding="utf-8")
    table = parsed_toml(unicodedata.normalize("NFC", text), f"types.{code}.toml")
    types = tuple((each["name"], _pattern(each)) for each in table["types"])
    return TypeRules(table["language"], frozenset(table["known_by"]), types)


def _pattern(table: dict[str, Any]) -> re.Pattern[str]:
    """Return the expression that finds what a table describes."""
    # Words end at white space: \b takes the vowels of Indian scripts for ends.
    ways = []
    if starts := table.get("starts"):
        ways.append(rf"^{_any_of(starts)}")
    if words := table.get("words"):
        ways.append(rf"(?<!\S){_any_of(words)}")
    never = ""
    if without := table.get("without"):
        never = rf"(?!.*(?<!\S){_any_of(without)})"
    return re.compile(rf"(?:{'|'.join(ways)}){never}")


def _any_of(words: Sequence[str]) -> str:
    return rf"(?:{'|'.join(words)})(?!\S)"


@cache
def question_types() -> tuple[str, ...]:
    """Return every type, in the order of tables and plots."""
    return (*dict.fromkeys(name for name, _ in type_rules()[0].types), OTHER)


@lru_cache(maxsize=1 << 16)
def question_type(question: str) -> str:
    """Return one of ``question_types()``; the questions of a set repeat, so each is read once."""
    text = normalise(question)
    rules = _rules_for(text)
    return rules.type_of(american(text) if rules is type_rules()[0] else text)


def _rules_for(text: str) -> TypeRules:
    """Return the rules of the language of which a text has the most words; English for none."""
    words = text.split()
    return max(type_rules(), key=lambda rules: sum(map(rules.known_by.__contains__, words)))


def language_of(question: str) -> str | None:
    """Return the code of a question's language, by its words; ``None`` where no word is known."""
    text = normalise(question)
    rules = _rules_for(text)
    is_known = any(word in rules.known_by for word in text.split())
    return _LANGUAGES[type_rules().index(rules)] if is_known else None


def typed_languages() -> Mapping[str, str]:
    """Return the languages whose questions have types: their names, by their codes."""
    return {code: rules.language for code, rules in zip(_LANGUAGES, type_rules(), strict=True)}


def type_shares(questions: Iterable[str]) -> dict[str, float]:
    """Return the share of each question type that occurs, in the order of ``question_types()``."""
    counts = Counter(question_type(question) for question in questions)
    return {kind: counts[kind] / counts.total() for kind in question_types() if counts[kind]}
