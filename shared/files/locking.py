"""A lock on a file, which the system lets go of however the process ends.

Who holds one stands in the file, for whoever is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

from shared.errors import InputError
from shared.program.durations import local_time


class LockHeld(InputError):
    """Another process holds the lock; the message says which, what it works on and the way out."""


@contextmanager
def sole(path: Path, held: str, way_out: str) -> Iterator[None]:
    """Hold the lock file ``path`` for the time of the block; the file stays.

    Args:
        path: the lock file, which is made where it is not there.
        held: what is said where another process holds it.
        way_out: what is then to be done.

    Raises:
        LockHeld: another process holds it.
        InputError: the file cannot be written, or its file system knows no locks.
    """
    with _opened(path) as file:
        try:
            is_ours = _taken(file)
        except OSError as error:
            raise _no_locks(path, error) from error
        if not is_ours:
            raise LockHeld(f"{held}{_holder(path)}; {way_out}")
        _sign(file, {"pid": os.getpid(), "host": socket.gethostname()})
        try:
            yield
        finally:
            _sign(file, None)


def _taken(file: TextIO) -> bool:
    """Return whether the lock is ours now."""
    while not _locked(file, fcntl.LOCK_EX):
        # Whoever looks shares the lock for a moment, which nobody can do with a holder's.
        if not _locked(file, fcntl.LOCK_SH):
            return False
        fcntl.flock(file, fcntl.LOCK_UN)
    return True


def _locked(file: IO[Any], mode: int) -> bool:
    try:
        fcntl.flock(file, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(file: TextIO, holder: dict[str, object] | None) -> None:
    # It holds without its signature, too.
    with contextlib.suppress(OSError):
        file.truncate(0)
        if holder:
            file.write(json.dumps(holder))
            file.flush()


def _holder(path: Path) -> str:
    """Return who holds the lock and since when, in brackets; nothing where it cannot be read."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        since = local_time(path.stat().st_mtime)
        return f" (process {holder['pid']} on {holder['host']}, since {since})"
    except (OSError, ValueError, TypeError, KeyError):
        return ""


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
            return not _locked(file, fcntl.LOCK_SH)
    except OSError:
        return False
