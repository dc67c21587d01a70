"""What lies in a folder that a run writes to, apart from what a killed process left in it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from shared.errors import InputError

_LEFT: Final = re.compile(r"\..*\.part(\.[^.]*)?")
"""What ``atomic`` writes to until it is whole."""
_LOCK: Final = ".lock"


def require_writable_folder(place: Path, setting: str) -> None:
    """Check that ``place`` is a folder or can become one; nothing is made.

    Raises:
        InputError: it is a file, or lies where nothing can be written; ``setting`` names it.
    """
    existing = _nearest(place)
    if not existing.is_dir():
        raise InputError(f"{setting} {place}: {existing} is a file; give a folder")
    _require_room(existing, place, setting)


def require_writable_file(place: Path, setting: str) -> None:
    """Check that ``place`` is a file or can become one; nothing is made.

    Raises:
        InputError: it is a folder, or lies where nothing can be written; ``setting`` names it.
    """
    if place.is_dir():
        raise InputError(f"{setting} {place}: is a folder; give the name of a file")
    existing = _nearest(place.absolute().parent)
    if not existing.is_dir():
        raise InputError(f"{setting} {place}: {existing} is a file, no folder; give another")
    _require_room(existing, place, setting)


def _nearest(place: Path) -> Path:
    """Return the first of ``place`` and the folders above it that is there."""
    return next(path for path in (place, *place.absolute().parents) if path.exists())


def _require_room(folder: Path, place: Path, setting: str) -> None:
    if not os.access(folder, os.W_OK):
        raise InputError(f"{setting} {place}: nothing can be written to {folder}; give another")


def written_names(folder: Path) -> set[str]:
    """Return the names of what was written to ``folder``, which need not be there.

    Locks, and what a killed process left half-written, are not among them.
    """
    if not folder.is_dir():
        return set()
    names = {path.name for path in folder.iterdir() if path.suffix != _LOCK}
    return {name for name in names if _LEFT.fullmatch(name) is None}


def remove_parts(folder: Path) -> None:
    """Remove what ``atomic_path`` left in ``folder`` where its process was killed.

    Only for a folder that no one else writes to.
    """
    for part in folder.glob(".*.part.*"):
        part.unlink(missing_ok=True)
