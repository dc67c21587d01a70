"""A lock on a file, which the system lets go of however the process ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from shared.errors import InputError


class LockHeld(InputError):
    """Another process holds the lock; callers say what it works on."""


@contextmanager
def sole_holder(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` for the time of the block; the file stays.

    Raises:
        LockHeld: another process holds it.
        InputError: the file cannot be written, or its file system knows no locks.
    """
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockHeld(f"{path}: another process holds it") from None
        except OSError as error:
            raise _no_locks(path, error) from error
        yield


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` for the time of the block, after whoever holds it now.

    Raises:
        InputError: the file cannot be written, or its file system knows no locks.
    """
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise _no_locks(path, error) from error
        yield


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def _no_locks(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be locked ({error.strerror})")


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock file ``path`` at present."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
