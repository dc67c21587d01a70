"""Rules, refusals and comparisons go by the language: German and Hindi beside English."""

from __future__ import annotations

import unicodedata

import pytest

from curator.prompts.languages.language import language_of
from curator.prompts.languages.words import words_of
from shared.questions.answers import exact_match, normalise

ENGLISH, GERMAN, HINDI = map(language_of, ("en", "de", "hi"))


def test_vowel_signs_and_viramas_are_parts_of_hindi_words():
    assert words_of("लकड़ी की कुर्सी, क्या?") == [
        unicodedata.normalize("NFC", word) for word in ("लकड़ी", "की", "कुर्सी", "क्या")
    ]


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("नीला", "नीली", False),
        ("नीला", "नील", False),
        ("नीला।", " नीला", True),
        ("लकड़ी", "लकड़ी", True),  # the nukta composed, and as a sign of its own
        ("café", "cafe\u0301", True),
        ("Größe", "größe!", True),
    ],
)
def test_metrics_compare_whole_words_of_any_script(one, other, are_same):
    assert exact_match(one, other) is are_same


def test_english_is_compared_as_it_always_was():
    assert normalise(" T-Shirt, (white)! ") == "tshirt white"
    assert normalise("n/a") == "na"


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        (ENGLISH, "The lamp", "lamp"),
        (ENGLISH, "two", "2"),
        (ENGLISH, "unanswerable", "Not visible."),
        (GERMAN, "weiß", "Weiss"),
        (GERMAN, "ein Stuhl", "der Stuhl"),
        (GERMAN, "zwei", "2"),
        (GERMAN, "nicht erkennbar", "unbekannt"),
        (HINDI, "हाँ", "हां"),
        (HINDI, "दो", "२"),
        (HINDI, "लकड़ी", "लकडी"),
        (HINDI, "पता नहीं", "अज्ञात"),
    ],
)
def test_answers_that_say_the_same_are_the_same(language, one, other):
    assert language.is_same(one, other)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        (ENGLISH, "white", "grey"),
        (ENGLISH, "two", "three"),
        (GERMAN, "ja", "nein"),
        (GERMAN, "der", "die"),
        (HINDI, "नीला", "नीली"),
        (HINDI, "हाँ", "नहीं"),
    ],
)
def test_answers_that_say_something_else_are_not_the_same(language, one, other):
    assert not language.is_same(one, other)


@pytest.mark.parametrize(
    ("language", "answer", "truth", "number"),
    [
        (ENGLISH, "Yes.", True, ""),
        (ENGLISH, "twelve", None, "12"),
        (GERMAN, "Nein", False, ""),
        (GERMAN, "Zwölf", None, "12"),
        (HINDI, "जी हाँ", True, ""),
        (HINDI, "नहीं", False, ""),
        (HINDI, "१२", None, "12"),
        # As a model writes that does not come to an end.
        (ENGLISH, "0" + 5_000 * "1", None, 5_000 * "1"),
    ],
)
def test_yes_no_and_numbers_are_known(language, answer, truth, number):
    assert language.truth(answer) is truth
    assert language.number(answer) == number
