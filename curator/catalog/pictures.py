"""Tells pictures from other files by their names, and folders from files."""

from __future__ import annotations

import os
import re
from typing import Final

from shared.images.formats import SUFFIXES, UNREAD_SUFFIXES

READ_SUFFIXES: Final = tuple(dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", *sorted(SUFFIXES))))
"""Endings of pictures that are read here, most usual first."""
_HIDDEN_NAMES: Final = frozenset(
    {"__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information"}
    | {"lost+found", "Thumbs.db", "desktop.ini", "ehthumbs.db"}
)
_PICTURES: Final = SUFFIXES | UNREAD_SUFFIXES
_WEB: Final = ("http://", "https://", "//", "ftp://", "s3://", "gs://")
_LONGEST_NAME: Final = 4_096


def is_unread_format(name: str) -> bool:
    """Return whether a file of that name is a picture of a format that is not read here."""
    return suffix_of(name) in UNREAD_SUFFIXES


def suffix_of(name: str) -> str:
    """Return a name's suffix in lower case; empty where there is none."""
    _, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if dot else ""


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of that name is hidden, or a copy that a program keeps."""
    return name.startswith(".") or name in _HIDDEN_NAMES


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry of a folder is one, or a link to one; none leads to itself."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def looks_like_picture(text: str) -> bool:
    """Return whether a text ends like the name, path or URL of a picture."""
    if len(text) > _LONGEST_NAME or "\n" in text:
        return False
    return suffix_of(without_query(text)) in _PICTURES


def is_web_address(text: str) -> bool:
    """Return whether a text is an address of the web."""
    start = text[:8]
    return "//" in start and start.lower().startswith(_WEB)


def without_query(text: str) -> str:
    """Return a URL without what follows its path; other texts as they are."""
    return re.split(r"[?#]", text, maxsplit=1)[0] if is_web_address(text) else text
