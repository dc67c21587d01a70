"""Languages without types of questions are told of, once."""

from __future__ import annotations

from curator.prompts.languages.language import known_languages
from curator.review.untyped import untyped_line


def test_languages_that_lack_types_are_named():
    dutch = {"language": {"name": "Dutch"}}
    line = untyped_line([dutch, {"language": "en"}, dutch])
    assert line == (
        "questions in Dutch are mostly of the type other: types are known in English, German, Hindi"
    )


def test_every_language_that_prompts_know_has_types():
    assert untyped_line({"language": code} for code in known_languages()) == ""
    assert untyped_line([{"language": {"name": "German"}}]) == ""
