"""Locks of Linux, macOS and BSD: ``flock``, on a file or a folder as a whole."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Final

MOVES_OPEN_FILES: Final = True
"""Whether files can be renamed and removed while they are open, and folders be opened."""
_LAST_BYTE: Final = 2**62


def take(descriptor: int) -> bool:
    """Return whether the lock was free and is ours now."""
    return _locked(descriptor, fcntl.LOCK_EX)


def share(descriptor: int) -> bool:
    """Return whether nobody has the lock alone; whoever looks so shares it."""
    return _locked(descriptor, fcntl.LOCK_SH)


def wait(descriptor: int) -> None:
    """Take the lock once it is free."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def release(descriptor: int) -> None:
    """Let go of the lock."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def leaves_record_locks(path: Path) -> bool:
    """Return whether the file at ``path``, locked as a whole by us, still takes record locks."""
    # Of all bytes the last: no database of ours locks it.
    try:
        with path.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _LAST_BYTE)
    except OSError:
        return False
    return True


def _locked(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
