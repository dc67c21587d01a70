"""Questions in other words, by rules: data in ``rephrasing.CODE.toml``, one file a language.

No model has a say: the same question becomes the same one each time, and each rule can be read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from shared.program.toml_files import parsed_toml
from shared.questions.types import language_of

_LANGUAGES: Final = ("en", "de", "hi")
_CLOSING: Final = re.compile(r"[\s?!.।]*$")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is looked for in a whole question without its mark, and what stands in its place."""

    pattern: re.Pattern[str]
    becomes: str
    mark: str


@cache
def _rules() -> Mapping[str, tuple[Rule, ...]]:
    return {code: tuple(map(_rule, parsed_toml(_text(code), code)["rules"])) for code in _LANGUAGES}


def _rule(table: Mapping[str, str]) -> Rule:
    return Rule(
        re.compile(table["question"], re.IGNORECASE), table["becomes"], table.get("mark", "?")
    )


def _text(code: str) -> str:
    name = f"rephrasing.{code}.toml"
    return files("evaluator.robustness").joinpath(name).read_text(encoding="utf-8")


@cache
def rules_digest() -> str:
    """Return eight hexadecimal digits of all rules: with others, figures are others."""
    return hashlib.sha256("".join(map(_text, _LANGUAGES)).encode()).hexdigest()[:8]


def rephrased(question: str) -> str | None:
    """Return a question in other words; ``None`` where no rule of its language fits.

    >>> rephrased("What color is the shoe?")
    'What is the color of the shoe?'
    >>> rephrased("Quelle est la couleur ?") is None
    True
    """
    language = language_of(question)
    words = _CLOSING.sub("", " ".join(question.split()))
    # What follows others begins no sentence.
    bare = words[:1].lower() + words[1:]
    is_marked = question.rstrip().endswith("?")
    for rule in _rules().get(language or "", ()):
        found = rule.pattern.fullmatch(bare)
        if found is not None:
            text = found.expand(rule.becomes)
            text = text[0].upper() + text[1:] if words[0].isupper() else text
            return text + rule.mark if is_marked else text
    return None
