"""Paths and URLs: kept whole, so that they mean the same in any folder, and shown by last name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from shared.images.stores import is_url

_QUERY: Final = re.compile(r"[?#].*", re.DOTALL)
_URL: Final = re.compile(r"(\w+://)(?:[^\s/?#]*@)?([^\s?#]*)(?:[?#]\S*)?")
"""Its scheme, host and path; not who asks, and with what signature or key."""
_MAY_BE_A_TAG: Final = re.compile(r"[\w-]+")


def whole_place(place: str, *, but: str = "") -> str:
    """Return a path that exists from the root on; a URL, a name and ``but`` as they are."""
    is_path = place not in {"", but} and not is_url(place) and Path(place).exists()
    return str(Path(place).resolve()) if is_path else place


def whole_file(place: str) -> str:
    """Return a file's path from the root on; as it is what may be a tag, such as ``openai``.

    ``./openai`` is a file in any case.
    """
    return place if _MAY_BE_A_TAG.fullmatch(place) else whole_place(place)


def last_name(place: str) -> str:
    """Return of a URL or a whole path its last name, without what signs it; else ``place``."""
    if is_url(place):
        host, _, path = _QUERY.sub("", place).partition("://")[2].partition("/")
        return path.rstrip("/").rpartition("/")[2] or host.rpartition("@")[2]
    return Path(place).name if Path(place).is_absolute() else place


def shown_place(word: str) -> str:
    """Return a path, a URL or ``NAME=PLACE`` as others may see it: of the place its last name.

    What else holds a URL loses what may be a key in it, see ``without_credentials``.
    """
    name, equals, place = word.partition("=")
    whole = last_name(word)
    shown = f"{name}={last_name(place)}" if equals and whole == word else whole
    return without_credentials(shown)


def without_credentials(text: str) -> str:
    """Return ``text`` with user, password, query and fragment cut from each URL in it."""
    return _URL.sub(r"\1\2", text)
