"""``[NAME=]DIR``: an adapter's folder, with a name or without."""

from __future__ import annotations

from pathlib import Path


def named_folder(word: str) -> tuple[str, Path]:
    """Return the name, empty where there is none, and the folder.

    A folder may have an equals sign in its name: what is there is no name.

    >>> name, folder = named_folder("chairs=runs/chairs")
    >>> name, folder.name
    ('chairs', 'chairs')
    """
    name, equals, folder = word.partition("=")
    if not equals or not folder or Path(word).exists():
        return "", Path(word)
    return name, Path(folder)
