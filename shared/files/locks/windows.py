"""Locks of Windows: on one byte beyond the end of any file, for nobody else reads what is locked.

There is no lock that several share: whoever looks holds it for a moment, so that a look at a lock
that is held by a look is repeated.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

MOVES_OPEN_FILES: Final = False
"""Whether files can be renamed and removed while they are open, and folders be opened."""
_BYTE: Final = 2**40
"""Of no file of ours: a terabyte."""
_LOOKS: Final = 5
_PAUSE_S: Final = 0.02
# Its functions have types on Windows alone.
_msvcrt: Any = importlib.import_module("msvcrt")


def take(descriptor: int) -> bool:
    """Return whether the lock was free and is ours now."""
    with _at_the_byte(descriptor):
        try:
            _msvcrt.locking(descriptor, _msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
    return True


def share(descriptor: int) -> bool:
    """Return whether nobody has the lock for longer than a look; it is ours then."""
    for look in range(_LOOKS):
        if take(descriptor):
            return True
        if look + 1 < _LOOKS:
            time.sleep(_PAUSE_S)
    return False


def wait(descriptor: int) -> None:
    """Take the lock once it is free."""
    while not take(descriptor):
        time.sleep(_PAUSE_S)


def release(descriptor: int) -> None:
    """Let go of the lock."""
    with _at_the_byte(descriptor):
        _msvcrt.locking(descriptor, _msvcrt.LK_UNLCK, 1)


def leaves_record_locks(path: Path) -> bool:  # noqa: ARG001
    """Return whether a file that is locked by us still takes record locks; all bytes but one do."""
    return True


@contextmanager
def _at_the_byte(descriptor: int) -> Iterator[None]:
    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, _BYTE, os.SEEK_SET)
    try:
        yield
    finally:
        os.lseek(descriptor, place, os.SEEK_SET)
