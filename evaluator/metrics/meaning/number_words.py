"""English number words up to 999,999, as answers spell them."""

from __future__ import annotations

from typing import Final

from shared.questions.answers import words

_SMALL_WORDS: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS_WORDS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SMALL: Final = {word: value for value, word in enumerate(_SMALL_WORDS)}
_TENS: Final = {word: 10 * value for value, word in enumerate(_TENS_WORDS, start=2)}
# Normalisation has taken the hyphen out of "twenty-one".
_UNDER_100: Final = {
    **_SMALL,
    **_TENS,
    **{tens + ones: _TENS[tens] + _SMALL[ones] for tens in _TENS for ones in _SMALL_WORDS[1:10]},
}


def spelled_number(text: str) -> int | None:
    """Return the number that a text spells out and nothing else, or ``None``.

    "two", "Twenty-one", "one hundred and five", "a dozen" are numbers; "two shoes" is not.
    """
    spelled = [word for word in words(text) if word != "and"]
    if spelled in (["dozen"], ["a", "dozen"], ["one", "dozen"]):
        return 12
    if "thousand" in spelled:
        place = spelled.index("thousand")
        before = ["one"] if spelled[:place] in ([], ["a"]) else spelled[:place]
        thousands = _under_1000(before)
        rest = _under_1000(spelled[place + 1 :]) if spelled[place + 1 :] else 0
        return None if thousands is None or rest is None else 1000 * thousands + rest
    return _under_1000(spelled)


def _under_1000(spelled: list[str]) -> int | None:
    if "hundred" in spelled:
        place = spelled.index("hundred")
        before = ["one"] if spelled[:place] in ([], ["a"]) else spelled[:place]
        hundreds = _under_100(before)
        rest = _under_100(spelled[place + 1 :]) if spelled[place + 1 :] else 0
        return None if hundreds is None or rest is None else 100 * hundreds + rest
    return _under_100(spelled)


def _under_100(spelled: list[str]) -> int | None:
    match spelled:
        case [word]:
            return _UNDER_100.get(word)
        case [tens, ones] if tens in _TENS and 0 < _SMALL.get(ones, 0) < 10:  # noqa: PLR2004
            return _TENS[tens] + _SMALL[ones]
    return None
