"""Where the folder of a base lies, as a record beside what was made of it says it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from shared.vqa.names.embedded import EMBEDDED_MODEL

BASE_FOLDER: Final = "base_folder"
"""In a record: where the base lies, as seen from the record's folder, if it is a folder."""


def relative_place(path: Path, folder: Path) -> str:
    """Return ``path`` as seen from ``folder``."""
    return os.path.relpath(path.resolve(), folder.resolve())


def place_of_base(base: str, folder: Path) -> dict[str, str]:
    """Return what a record in ``folder`` says of the place of ``base``; nothing if it is no folder.

    Both may then move together, and the record be read from any working folder.
    """
    place = Path(base).expanduser()
    if not base or base == EMBEDDED_MODEL or not place.is_dir():
        return {}
    return {BASE_FOLDER: relative_place(place, folder)}


def base_folder(folder: Path, record: Mapping[str, Any]) -> str:
    """Return the folder of the base by a record in ``folder``; nothing if no model lies there."""
    place = record.get(BASE_FOLDER)
    if not isinstance(place, str) or not place:
        return ""
    found = (folder.resolve() / place).resolve()
    if not (found / "config.json").is_file():
        return ""
    here = Path.cwd()
    return str(found.relative_to(here) if found.is_relative_to(here) else found)
