"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import InputError


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a path to write to, beside ``target``; rename it there unless the block raises.

    Raises:
        InputError: the folder of ``target`` cannot be created or written to.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}.", suffix=f".part{target.suffix}"
        )
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def require_folder(place: Path, setting: str) -> None:
    """See that ``place`` is a folder or can become one; nothing is made.

    Raises:
        InputError: it is a file, or lies where nothing can be written; ``setting`` names it.
    """
    existing = next(path for path in (place, *place.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise InputError(f"{setting} {place}: {existing} is a file; give a folder")
    if not os.access(existing, os.W_OK):
        raise InputError(f"{setting} {place}: nothing can be written to {existing}; give another")


def remove_parts(folder: Path) -> None:
    """Remove what ``atomic_path`` left in ``folder`` where its process was killed.

    Only for a folder that no one else writes to.
    """
    for part in folder.glob(".*.part.*"):
        part.unlink(missing_ok=True)
