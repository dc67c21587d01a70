"""The words of a text, whatever its script; pure.

They are made of letters, digits and marks: in Indian scripts vowels are marks, which Python's
regular expressions count to no word.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_WORD: Final = re.compile(r"\w+")
_GAPS: Final = {code: " " for code in range(128) if not _WORD.fullmatch(chr(code))}


def words_of(text: str) -> list[str]:
    """Return the words of ``text`` in lower case, composed as Unicode's form NFC.

    >>> words_of("Is it a T-shirt?")
    ['is', 'it', 'a', 't', 'shirt']
    """
    lower = text.lower()
    if lower.isascii():
        # The same as the regular expression, in a third of the time.
        return lower.translate(_GAPS).split()
    composed = unicodedata.normalize("NFC", lower)
    return "".join(letter if _is_of_word(letter) else " " for letter in composed).split()


def _is_of_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_" or unicodedata.category(letter).startswith("M")
