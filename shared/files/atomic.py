"""Files that are there whole or not at all, whatever happens while they are written.

What is new gets the mode that the user's umask gives, so that whoever may read its neighbours may
read it too; ``tempfile`` would make it for its owner alone. Keys are the exception.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared.errors import InputError

_ANYONE: Final = 0o666
_OWNER: Final = 0o600


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a path to write to, beside ``target``; rename it there unless the block raises.

    Raises:
        InputError: the folder of ``target`` cannot be created or written to.
    """
    with _replacing(target, _ANYONE) as part:
        yield part


@contextmanager
def atomic_private_path(target: Path) -> Iterator[Path]:
    """Do as ``atomic_path`` does for what nobody but its owner may read.

    Raises:
        InputError: the folder of ``target`` cannot be created or written to.
    """
    with _replacing(target, _OWNER) as part:
        yield part


@contextmanager
def _replacing(target: Path, mode: int) -> Iterator[Path]:
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from error
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def new_folder_beside(target: Path) -> Path:
    """Make an empty folder beside ``target``, hidden and of a name that nobody else has.

    Raises:
        InputError: the folder of ``target`` cannot be created or written to.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        part.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from error
    return part


def open_to_readers(folder: Path) -> None:
    """Let whoever may read ``folder``, newly made, read its files too.

    For what libraries write: safetensors makes files that only their owner may read.
    """
    mode = folder.stat().st_mode & _ANYONE
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)


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
