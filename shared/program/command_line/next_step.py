"""The last line of a command: which one comes next, as one would type it.

It goes to standard error, so that what is piped or redirected is the result alone. A word in
capitals stands for what only the user knows.
"""

from __future__ import annotations

import shlex
import sys
import unicodedata
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Kinds of characters that break a line, move the cursor, or are no text at all."""
_SHORT: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "'": r"\'", "\\": r"\\"}


def tell_next(*words: object) -> None:
    """Name the next command; each word is quoted for a shell where it has to be."""
    # Both may go to one terminal, where this is to be the last line.
    sys.stdout.flush()
    print(f"next: {typed(*words)}", file=sys.stderr)


def typed(*words: object) -> str:
    r"""Return a command as one would type it, on one line whatever its words hold.

    >>> typed("curator", "export", "--ledger", "my chairs.db")
    "curator export --ledger 'my chairs.db'"
    >>> print(typed("evaluator", "report", "two\nlines"))
    evaluator report $'two\nlines'
    """
    return " ".join(_quoted(str(word)) for word in words)


def _quoted(word: str) -> str:
    """Return a word quoted for a shell; with escapes where plain quotes would break the line."""
    if not any(unicodedata.category(character) in _UNSEEN for character in word):
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if unicodedata.category(character) not in _UNSEEN:
        return character
    # Three octal digits end by themselves, whatever follows.
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
